import type { Matcher } from "@/api/types";

const MATCHER = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^",{}]*)\s*(?:,|$)/;
/** The maximum number of conditions in the link of a notification. */
const MOST = 20;

/**
 * Reads matchers as Alertmanager and the links of notifications write them: `alertname="Acme",source="rss"`. Returns
 * `null` for any other text.
 */
export function readMatchers(text: string): Matcher[] | null {
  const matchers: Matcher[] = [];
  let rest = text.trim().replace(/^\{(.*)\}$/s, "$1");
  while (rest.trim() !== "") {
    const [all, label, op, value] = MATCHER.exec(rest) ?? [];
    if (all === undefined || !label || matchers.length === MOST) return null;
    matchers.push({ label, op: op as Matcher["op"], value: unquoted(value ?? "") });
    rest = rest.slice(all.length);
  }
  return matchers.length > 0 ? matchers : null;
}

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", "0": "\0" };

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value.trim();
  return value.slice(1, -1).replace(/\\(?:u\{([0-9a-f]{1,6})\}|(.))/gs, (_, code?: string, char?: string) => {
    if (code !== undefined) return characterOf(code);
    return ESCAPES[char ?? ""] ?? char ?? "";
  });
}

function characterOf(code: string): string {
  const point = Number.parseInt(code, 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : "";
}
