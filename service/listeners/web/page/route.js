/**
 * What the address says after its `#`: which conversation is open, at which message, which pane a phone shows. Pure.
 *
 * `#/` is the main room, `#/ops` a room, `#/@bob` a talk; `#/ops/118` a message there, `#/ops/members` its members; without
 * any of them a phone shows the list of conversations.
 */

/** @typedef {{ target: string, id: number, pane: "list" | "talk" | "members" }} Place  target "": none is named */

/** @param {string} hash @returns {Place} */
export function read(hash) {
  const match = /^#\/([^/]*)(?:\/(\d{1,15}|members))?$/.exec(hash);
  if (!match) {
    return { target: '', id: 0, pane: 'list' };
  }
  const [, name, rest = ''] = match;
  let plain = '';
  try {
    plain = decodeURIComponent(name);
  } catch {
    return { target: '', id: 0, pane: 'list' };
  }
  const target = plain.startsWith('@') && plain.length > 1 ? plain : `#${plain}`;
  return { target, id: Number(rest) || 0, pane: rest === 'members' ? 'members' : 'talk' };
}

/** @param {string} target @param {number | "members"} [rest] @returns {string} */
export function write(target, rest) {
  const name = encodeURIComponent(target.startsWith('@') ? target : target.slice(1)).replace('%40', '@');
  return `#/${name}${rest ? `/${rest}` : ''}`;
}
