/** Stream 3: what runs where, and who may own anything. @module */
export { HaCore } from "./core.ts";
export type { HaView } from "./view.ts";
export type { Mode } from "./mode.ts";
export type { HaEffect, HaEvent, HaOptions } from "./events.ts";
export type { Shown } from "./board.ts";
export { type ManagerStatus, parseStatus, type ServiceEntry, STATUS_FILE } from "./status.ts";
export { checkRules, editRules, type RuleEdit, type RuleWorld } from "./rule_edit.ts";
export { readRules, type Rule, RULE_KINDS, RULES_FILE, WEIGHT_MAX } from "./rules.ts";
export { parseSections, propertiesOf } from "./section_config.ts";
export {
  type FileChange,
  type StoryLine,
  storyOf,
  StoryReader,
  type StoryStep,
  type WrittenStep,
} from "./story.ts";
