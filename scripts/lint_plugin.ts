/**
 * pentad's own lint rules. `pentad/pure` is the one that carries weight: it keeps the outside out
 * of everything that decides (style: "the core is a function of its input").
 *
 * @module
 */

/** Folders of `mod/` that may touch the outside. */
export const OUTSIDE: readonly string[] = ["host", "daemon", "api", "cli"];
/** What of them is pure all the same: interfaces, and SCSI as bytes. */
export const PURE_INSIDE: readonly string[] = ["host/ports.ts", "host/disk_port.ts", "host/scsi/"];
/** The two files through which pure code reaches the runtime's hashes and ciphers. */
export const DOORS: readonly string[] = ["base/checksum.ts", "base/seal.ts"];

const FORBIDDEN_NAMES: ReadonlySet<string> = new Set([
  "Deno",
  "console",
  "Date",
  "performance",
  "Promise",
  "setTimeout",
  "setInterval",
  "clearTimeout",
  "clearInterval",
  "queueMicrotask",
  "fetch",
  "crypto",
  "localStorage",
  "Worker",
  "process",
]);

/** True where the file must be pure. */
export function mustBePure(filename: string): boolean {
  const at = filename.replaceAll("\\", "/").lastIndexOf("/mod/");
  if (at < 0) return false;
  const inside = filename.slice(at + "/mod/".length);
  return !OUTSIDE.includes(inside.split("/")[0] ?? "") ||
    PURE_INSIDE.some((place) => inside.startsWith(place));
}

function isDoor(filename: string): boolean {
  return DOORS.some((door) => filename.replaceAll("\\", "/").endsWith(`/mod/${door}`));
}

/** True where an identifier is a use of the global of that name, not a property or a key. */
function isUse(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as {
    type: string;
    property?: unknown;
    key?: unknown;
    computed?: boolean;
  };
  if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) {
    return false;
  }
  if (parent.type === "Property" && parent.key === node && !parent.computed) return false;
  if (parent.type.startsWith("TS")) return parent.type === "TSTypeReference";
  return !["PropertyDefinition", "MethodDefinition"].includes(parent.type) || parent.key !== node;
}

const plugin: Deno.lint.Plugin = {
  name: "pentad",
  rules: {
    pure: {
      create(context) {
        if (!mustBePure(context.filename)) return {};
        const refuse = (node: Deno.lint.Node, what: string) =>
          context.report({
            node,
            message: `Pure code must not use ${what}`,
            hint: "Make it an event, an effect, or a port (mod/host/ports.ts)",
          });
        return {
          Identifier(node) {
            if (FORBIDDEN_NAMES.has(node.name) && isUse(node)) refuse(node, `"${node.name}"`);
          },
          MemberExpression(node) {
            if (
              node.object.type === "Identifier" && node.object.name === "Math" &&
              node.property.type === "Identifier" && node.property.name === "random"
            ) refuse(node, '"Math.random"');
          },
          AwaitExpression(node) {
            refuse(node, '"await"');
          },
          ImportDeclaration(node) {
            const from = String(node.source.value);
            if (from.startsWith("node:") && !isDoor(context.filename)) refuse(node, `"${from}"`);
          },
          ImportExpression(node) {
            refuse(node, "a dynamic import");
          },
        };
      },
    },
    "no-top-level-arrow": {
      create(context) {
        return {
          "Program > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression"(node) {
            context.report({ node, message: "A named function is declared with `function`" });
          },
          "Program > ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression"(
            node,
          ) {
            context.report({ node, message: "A named function is declared with `function`" });
          },
        };
      },
    },
    "error-message": {
      create(context) {
        return {
          NewExpression(node) {
            if (node.callee.type !== "Identifier" || !node.callee.name.endsWith("Error")) return;
            const first = node.arguments[0];
            if (first?.type !== "Literal" || typeof first.value !== "string") return;
            if (node.callee.name === "ProblemError") return;
            if (/\.$/.test(first.value) || /^[a-z]/.test(first.value)) {
              context.report({
                node: first,
                message: "An error message begins with a capital and has no final period",
              });
            }
          },
        };
      },
    },
  },
};

export default plugin;
