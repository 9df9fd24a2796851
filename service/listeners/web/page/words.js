/**
 * All English texts of the page's model: errors say what to do next. It decides nothing.
 * @module
 */

import { oneLine } from './text.js';

/** @typedef {import('./protocol.js').ErrorReply} ErrorReply */

/** Why something was not done, to be shown as it is. `retryAfter` is in seconds. */
export class Refusal extends Error {
  /**
   * @param {string} text
   * @param {string} [code]
   * @param {number} [retryAfter]
   */
  constructor(text, code = '', retryAfter) {
    super(text);
    this.name = 'Refusal';
    this.text = text;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * @param {number} number
 * @param {string} noun
 */
export function counted(number, noun) {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/**
 * @param {number} seconds
 */
export function spanOf(seconds) {
  if (seconds < 90) return counted(Math.max(1, Math.ceil(seconds)), 'second');
  if (seconds < 90 * 60) return counted(Math.ceil(seconds / 60), 'minute');
  if (seconds < 36 * 3600) return counted(Math.ceil(seconds / 3600), 'hour');
  return counted(Math.ceil(seconds / 86400), 'day');
}

/**
 * A service's text as a sentence of its own.
 * @param {string} text
 */
function sentence(text) {
  const line = text.replace(/\.+$/, '');
  return line && `${line[0].toUpperCase()}${line.slice(1)}.`;
}

/** By action: what is done to somebody, and to the user. @type {Record<string, [string, string]>} */
const DEEDS = {
  invite: ['{by} invited {whom} to {room}', '{by} invited you to {room}'],
  kick: ['{by} took {whom} out of {room}', '{by} took you out of {room}'],
  ban: ['{by} banned {whom} from {room}', '{by} banned you from {room}'],
  unban: ['{by} ended the ban of {whom}', '{by} ended your ban'],
  mute: ['{by} silenced {whom}', '{by} silenced you'],
  unmute: ['{by} lets {whom} write again', '{by} lets you write again'],
  role: ['{by} made {whom} {role} of {room}', '{by} made you {role} of {room}'],
};

export const words = {
  noOperation: (/** @type {string} */ name) => `There is no /${name} here. To send a slash, begin with two.`,
  emptyAction: 'Say what you do: /me waves.',
  offline: 'There is no connection just now. Try again when it is back.',
  noConnection: 'The service cannot be reached. Check your connection and try again.',
  strange: 'The service answered with something else. Reload the page.',
  otherVersion: 'The service speaks another version. Reload the page.',
  sessionEnded: 'Your session has ended. Log in again.',
  loggedOutHere:
    'You are logged out here. The service could not be told: change your password if others use this device.',
  noStorage: 'This browser keeps nothing for this page: you stay logged in as long as the page is open.',
  insecure:
    'This connection is not encrypted: you stay logged in as long as the page is open, and there are no notifications.',
  notRegistered: (/** @type {string} */ name) =>
    `There is no account "${oneLine(name)}". Check the name, or register it.`,
  notThere: 'You are not in this room. Look for it in the list of rooms.',
  lost: 'You are no longer in this room. Copy your text if you need it.',
  empty: 'Write something first.',
  nonceReused: 'This text could not be told from another one. Copy it and send it anew.',
  tooLong: (/** @type {number} */ most) =>
    `This text is too long: ${most.toLocaleString('en')} characters are the most. Send it in parts.`,
  tooLarge: 'This text is too long to be sent at once. Send it in parts.',
  /** @param {string} reason of a `bye` */
  dismissed(reason) {
    if (reason === 'logout') return 'You were logged out, in another window or on another device.';
    if (reason === 'password_changed') return 'The password was changed. Log in with the new one.';
    if (reason === 'kicked') return 'A moderator or the operator has ended your session. Log in again.';
    return words.sessionEnded;
  },
  tooManyWait: 'Too many of your messages wait to be sent. Write again when the connection is back.',
  mainRoom: 'the main room',
  gone: (/** @type {string} */ room) => `${oneLine(room)} is gone. Nobody can read or write there any more.`,
  newTopic: (/** @type {string} */ topic) =>
    topic ? `The topic is now: ${oneLine(topic)}` : 'There is no topic any more.',
  nowPrivate: 'This room is private now: only who is invited can join.',
  /**
   * An act in a sentence, with its reason. The names are as they came.
   * @param {import('./protocol.js').MemberEvent} event
   * @param {string} me
   * @param {string} room
   */
  deed(event, me, room) {
    const { username, action, by, reason, role = 'member' } = event;
    const isMe = username === me;
    const who = by === undefined ? 'The operator' : by === me ? 'You' : by; // a name keeps its small letter
    const whom = isMe ? 'you' : username;
    const subject = isMe ? 'You' : username;
    let text = `${who}: ${action} ${whom}`; // of a later service
    if (action === 'leave') text = `You have left ${room}`;
    else if (action === 'role' && (by === undefined || by === username)) {
      text = `${subject} ${isMe ? 'are' : 'is'} ${role} of ${room} now`;
    } else if (Object.hasOwn(DEEDS, action)) {
      const values = { by: who, whom, room, role };
      text = DEEDS[action][isMe ? 1 : 0].replace(
        /\{(by|whom|room|role)\}/g,
        (_, name) => values[/** @type {'by'} */ (name)],
      );
    }
    return oneLine(`${reason ? `${text}: ${reason.replace(/\.+$/, '')}` : text}.`);
  },
};

/** What to do, by an error's code, where the service does not say it. @type {Record<string, string>} */
const NEXT = {
  unknown_room: 'The list of rooms has those that you can join.',
  unknown_user: 'Check the name.',
  message_too_long: 'Send it in parts.',
  storage_unavailable: 'Try again in a while.',
  internal: 'Try again. If it goes on, tell the operator that number.',
};

/**
 * A service's error in words that say what to do.
 * @param {ErrorReply} error
 * @param {{ contact?: string } | null} [hello]
 */
export function refused(error, hello = null) {
  const { code, retry_after: seconds } = error;
  if (code === 'nonce_reused') return new Refusal(words.nonceReused, code);
  const text = [oneLine(sentence(error.message))];
  if (seconds !== undefined && code !== 'rate_limited') text.push(`It ends in ${spanOf(seconds)}.`);
  if (Object.hasOwn(NEXT, code) && !error.maybe) text.push(NEXT[code]);
  if (code === 'registration_closed' && hello?.contact) text.push(`The operator is ${oneLine(hello.contact)}.`);
  return new Refusal(text.join(' '), code, seconds);
}
