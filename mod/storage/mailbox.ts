/**
 * The mailbox: each node's letters to others stand in its own pulse slot, so that nobody writes
 * where another does, and everybody reads them with the pulse.
 *
 * There is one kind of letter, the poison pill. A manager leaves it for the life that it counts as
 * dead; should that life go on (it was stopped, or reads the disk and cannot write to it), it reads
 * it and ends what it runs. A pill is bound to a life: a newer one does not take it.
 *
 * @module
 */
import type { BootId, NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { MemberHealth } from "../streams.ts";
import type { StorageContext } from "./context.ts";
import { type Letter, MAIL_MAX, type PulseSlot } from "./layout.ts";

/** See the module's note. */
export class Mailbox {
  readonly #context: StorageContext;
  /** The life of each member that was heard or read of last. */
  readonly #lives = new Map<NodeId, BootId>();
  /** Pills that were taken already: by writer, its life, and the pill's number. */
  readonly #taken = new Set<string>();
  #pills = 0;

  constructor(context: StorageContext) {
    this.#context = context;
  }

  /** Who is heard again is sent nothing any more. */
  onMember({ node, state, boot }: MemberHealth): void {
    if (boot !== null) this.#lives.set(node, boot);
    if (state === "online" || state === "isolated") this.#keep((letter) => letter.to !== node);
  }

  /** Leaves a pill for the last known life of `node`. */
  pill(node: NodeId): void {
    const boot = this.#lives.get(node);
    const { mail } = this.#context.content;
    if (boot === undefined || mail.length >= MAIL_MAX) return;
    if (mail.some((letter) => letter.to === node && letter.boot === boot)) return;
    this.#keep((letter) => letter.to !== node);
    const letter: Letter = { to: node, boot, seq: ++this.#pills };
    const content = this.#context.content;
    this.#context.content = { ...content, mail: [...content.mail, letter] };
    const name = this.#context.name(node);
    this.#context.say(`pill for ${name}`, reason("storage.pill-left", { node: name }));
  }

  /** Reads a slot; why this life must end what it runs, or null. */
  read(slot: PulseSlot): Reason | null {
    const { self, boot } = this.#context;
    const letter = slot.mail.find((each) => each.to === self && each.boot === boot);
    if (letter === undefined || !this.#isMember(slot.node)) return null;
    const pill = `${slot.node} ${slot.boot} ${letter.seq}`;
    if (this.#taken.has(pill)) return null;
    this.#taken.add(pill);
    const because = reason("storage.pill-read", { node: this.#context.name(slot.node) });
    this.#context.say("pill read", because);
    return because;
  }

  #isMember(node: NodeId): boolean {
    return this.#context.spec.members.some(({ id }) => id === node);
  }

  #keep(keeps: (letter: Letter) => boolean): void {
    const { content } = this.#context;
    if (content.mail.every(keeps)) return;
    this.#context.content = { ...content, mail: content.mail.filter(keeps) };
  }
}
