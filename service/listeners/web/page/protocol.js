/**
 * What the page and the service say to each other: the types of commands and events, and which of them a service knows.
 *
 * tests/system/test_page.py holds the types against service/wire/protocol.py, and the limits against its limits.py.
 * @module
 */

/**
 * Rows of pages.
 * @typedef {{
 *   id: number, time: string, from: string, to?: string, room?: string, message: string, kind?: string,
 *   deleted?: string
 * }} StoredMessage
 * @typedef {{
 *   room: string, created: string, topic: string, private: boolean, members: number, role?: string, unread?: number,
 *   read_id?: number, muted?: boolean, muted_until?: string, invited?: boolean
 * }} RoomInfo
 * @typedef {{ name: string, role: string, online: boolean, muted?: boolean, muted_until?: string }} MemberInfo
 * @typedef {{ name: string, by?: string, reason?: string, time: string, until?: string }} BanInfo
 */

/**
 * Commands.
 * @typedef {{
 *   command: 'login', username: string, password?: string, lifetime?: number, confirm?: boolean, quiet?: boolean,
 *   rooms?: boolean, presence?: 'changes', ref?: string
 * }} Login
 * @typedef {{
 *   command: 'register', username: string, password: string, lifetime?: number, confirm?: boolean, quiet?: boolean,
 *   rooms?: boolean, presence?: 'changes', ref?: string
 * }} Register
 * @typedef {{
 *   command: 'resume', token: string, confirm?: boolean, quiet?: boolean, rooms?: boolean, presence?: 'changes',
 *   ref?: string
 * }} Resume
 * @typedef {{
 *   command: 'pm', room?: string, created?: string, message?: string, kind?: 'action' | 'notice' | 'text',
 *   nonce?: string, ref?: string
 * }} Pm
 * @typedef {{
 *   command: 'dm', to?: string, message?: string, kind?: 'action' | 'notice' | 'text', nonce?: string, ref?: string
 * }} Dm
 * @typedef {{ command: 'users', ref?: string }} Users
 * @typedef {{ command: 'missed', limit?: number, ref?: string }} Missed
 * @typedef {{ command: 'seen', room?: string, with?: string, id?: number, ids?: number[], ref?: string }} Seen
 * @typedef {{
 *   command: 'history', room?: string, with?: string, before?: number, after?: number, limit?: number, ref?: string
 * }} History
 * @typedef {{
 *   command: 'search', query: string, room?: string, with?: string, before?: number, limit?: number, ref?: string
 * }} Search
 * @typedef {{
 *   command: 'since', id: number, limit?: number, deleted_after?: string, room?: string, ref?: string
 * }} Since
 * @typedef {{ command: 'delete', id: number, reason?: string, ref?: string }} Delete
 * @typedef {{ command: 'rooms', after?: string, limit?: number, ref?: string }} Rooms
 * @typedef {{ command: 'create', room: string, topic?: string, private?: boolean, ref?: string }} Create
 * @typedef {{ command: 'join', room: string, ref?: string }} Join
 * @typedef {{ command: 'leave', room: string, ref?: string }} Leave
 * @typedef {{ command: 'members', room: string, after?: string, limit?: number, ref?: string }} Members
 * @typedef {{ command: 'set_room', room: string, topic?: string, private?: boolean, ref?: string }} SetRoom
 * @typedef {{
 *   command: 'moderate', room: string, username: string,
 *   action: 'ban' | 'invite' | 'kick' | 'mute' | 'role' | 'unban' | 'unmute',
 *   role?: 'member' | 'moderator' | 'owner', reason?: string, minutes?: number, ref?: string
 * }} Moderate
 * @typedef {{ command: 'bans', room: string, after?: string, limit?: number, ref?: string }} Bans
 * @typedef {{ command: 'password', old: string, new: string, ref?: string }} Password
 * @typedef {{ command: 'logout', ref?: string }} Logout
 * @typedef {{ command: 'ping', ref?: string }} Ping
 * @typedef {{ command: 'ex', ref?: string }} Ex
 * @typedef {Login | Register | Resume | Pm | Dm | Users | Missed | Seen | History | Search | Since | Delete | Rooms
 *   | Create | Join | Leave | Members | SetRoom | Moderate | Bans | Password | Logout | Ping | Ex} Command
 */

/**
 * Events.
 * @typedef {{
 *   type: 'hello', protocol: number, server: string, version: string, registration: string, max_line: number,
 *   max_message: number, features?: string[], main_room?: string, contact?: string
 * }} HelloEvent
 * @typedef {{ type: 'password_required', username: string, registered: boolean, ref?: string }} PasswordRequiredReply
 * @typedef {{
 *   type: 'login_ok', username: string, users: string[], missed: number, unread: number, last_id: number,
 *   token?: string, time: string, motd?: string, role?: string, topic?: string, read_id?: number, muted?: boolean,
 *   muted_until?: string, rooms?: RoomInfo[], ref?: string
 * }} LoginOkReply
 * @typedef {{ type: 'ready', command: string, users?: string[], ref?: string }} ReadyReply
 * @typedef {{
 *   type: 'ack', command: string, id?: number, ids?: number[], time?: string, to?: string, status?: string,
 *   nonce?: string, room?: string, with?: string, username?: string, action?: string, ref?: string
 * }} AckReply
 * @typedef {{
 *   type: 'broadcast', id: number, time: string, from: string, message: string, kind?: string, room?: string
 * }} BroadcastEvent
 * @typedef {{
 *   type: 'direct', id: number, time: string, from: string, to: string, message: string, kind?: string
 * }} DirectEvent
 * @typedef {{ type: 'renamed', from: string, to: string, time: string }} RenamedEvent
 * @typedef {{ type: 'deleted', id: number, time: string, by?: string, room?: string }} DeletedEvent
 * @typedef {{
 *   type: 'room', room?: string, created?: string, topic?: string, private?: boolean, members?: number,
 *   role?: string, unread?: number, read_id?: number, muted?: boolean, muted_until?: string, invited?: boolean,
 *   last_id?: number, gone?: boolean, ref?: string
 * }} RoomReply
 * @typedef {{
 *   type: 'member', room?: string, username: string, action: string, role?: string, by?: string, reason?: string,
 *   until?: string, time: string
 * }} MemberEvent
 * @typedef {{ type: 'read', room?: string, with?: string, id?: number, ids?: number[] }} ReadEvent
 * @typedef {{ type: 'users', users: string[], time: string, ref?: string }} UsersReply
 * @typedef {{ type: 'presence', arrived: string[], left: string[], online: number, time: string }} PresenceEvent
 * @typedef {{ type: 'missed', messages: StoredMessage[], more: boolean, ref?: string }} MissedReply
 * @typedef {{
 *   type: 'history', room?: string, with?: string, messages: StoredMessage[], more: boolean, ref?: string
 * }} HistoryReply
 * @typedef {{
 *   type: 'search', query: string, room?: string, with?: string, messages: StoredMessage[], more: boolean,
 *   ref?: string
 * }} SearchReply
 * @typedef {{
 *   type: 'since', messages: StoredMessage[], more: boolean, time: string, deleted?: number[],
 *   deleted_more?: boolean, ref?: string
 * }} SinceReply
 * @typedef {{ type: 'rooms', rooms: RoomInfo[], more: boolean, ref?: string }} RoomsReply
 * @typedef {{ type: 'members', room?: string, members: MemberInfo[], more: boolean, ref?: string }} MembersReply
 * @typedef {{ type: 'bans', room?: string, bans: BanInfo[], more: boolean, ref?: string }} BansReply
 * @typedef {{ type: 'pong', time: string, ref?: string }} PongReply
 * @typedef {{
 *   type: 'error', code: string, message: string, command?: string, retry_after?: number, fatal?: boolean,
 *   maybe?: boolean, ref?: string
 * }} ErrorReply
 * @typedef {{ type: 'bye', reason: string, ref?: string }} ByeReply
 * @typedef {HelloEvent | PasswordRequiredReply | LoginOkReply | ReadyReply | AckReply | BroadcastEvent | DirectEvent
 *   | RenamedEvent | DeletedEvent | RoomReply | MemberEvent | ReadEvent | UsersReply | PresenceEvent |
 *   MissedReply | HistoryReply | SearchReply | SinceReply | RoomsReply | MembersReply | BansReply |
 *   PongReply | ErrorReply | ByeReply} Event
 */

/** @typedef {Login | Register | Resume} Entry */

/** The version that this page speaks. */
export const VERSION = 1;

/** Limits that no setting changes: rows of a page, characters, seconds, minutes. */
export const LIMITS = Object.freeze({
  MAX_PAGE: 200,
  MAX_TOPIC: 300,
  MAX_REASON: 300,
  MAX_QUERY: 4096,
  MAX_USERNAME: 32,
  MAX_MINUTES: 525600,
});

const OF_ROOMS = new Set(['rooms', 'create', 'join', 'leave', 'members', 'set_room', 'moderate', 'bans', 'logout']);

/**
 * An event of a line; null if the line is none. Its fields are the service's word.
 * @param {string} line
 * @returns {Event | null}
 */
export function decode(line) {
  try {
    const event = JSON.parse(line);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/**
 * Whether a service with these features knows what the command asks for. A service that does not know `room` would say
 * a text for a room to everyone.
 * @param {Command} command
 * @param {readonly string[]} features
 */
export function isKnown(command, features) {
  const has = (/** @type {string} */ name) => features.includes(name);
  const { command: name } = command;
  if ('kind' in command && command.kind && !has('kind')) return false;
  if ((name === 'delete' || name === 'since') && !has(name)) return false;
  if (has('rooms')) return true;
  return !OF_ROOMS.has(name) && !('room' in command && command.room) && !(name === 'seen' && command.with);
}

/**
 * The login with what this page asks for, as far as the service has it.
 * @template {Entry} E
 * @param {E} entry
 * @param {readonly string[]} features
 * @returns {E}
 */
export function withWishes(entry, features) {
  return {
    ...entry,
    confirm: true,
    ...(features.includes('rooms') ? { rooms: true } : {}),
    ...(features.includes('presence') ? { presence: 'changes' } : {}),
  };
}
