/**
 * What the views of the talk say, in one table: short, plain, and what to do next. What dialogs say is in prompts.js, what
 * goes wrong in words.js.
 */
import { counted, number } from './format.js';

export const labels = {
  // Conversations
  account: 'Your account',
  main: 'Main room',
  rooms: 'Rooms',
  talks: 'Direct messages',
  joinRoom: 'Join or make a room',
  newTalk: 'Write to somebody',
  invited: 'invited',
  draft: 'draft',
  unread: (/** @type {number} */ count) => `${number(count)} unread`,
  calls: (/** @type {number} */ count) => `${number(count)} with your name`,
  below: (/** @type {number} */ count) => `${number(count)} unread below`,
  isHere: 'online',
  isAway: 'away',
  noRooms: 'You are in no other room yet.',
  noTalks: 'Nobody yet. Press + to write to somebody.',

  // The head
  back: 'Back to the conversations',
  search: 'Search',
  details: 'About this room',
  people: (/** @type {number} */ count) => `${counted(count, 'member')}`,
  online: (/** @type {number} */ count) => `${number(count)} online`,
  showMembers: 'Show or hide the members',
  closeMembers: 'Back to the talk',
  reconnecting: 'Reconnecting',
  waits: (/** @type {number} */ count) => `${counted(count, 'message')} ${count === 1 ? 'waits' : 'wait'}`,
  tryNow: 'Try now',
  noConnection: 'There is no connection to the chat yet. The page goes on trying.',
  hide: 'Hide this',

  // Messages
  invite: 'Invite somebody',
  you: 'you',
  sending: 'Sending',
  later: 'Waits for the connection',
  stored: (/** @type {string} */ name) => `Stored: ${name} will see it when back`,
  delivered: 'Delivered',
  sendAgain: 'Send again',
  discard: 'Discard',
  deleted: 'This message was deleted.',
  remove: 'Delete',
  notice: 'notice',
  showAll: 'Show all of it',
  gap: 'Messages between are not loaded',
  load: 'Load them',
  jump: 'To the newest',
  fresh: (/** @type {number} */ count) => `${number(count)} new`,
  start: (/** @type {string} */ title) => `This is where ${title} begins`,
  startTalk: (/** @type {string} */ name) => `Only you and ${name} can read this.`,
  empty: 'Nobody has written here yet.',
  lostMessage: 'This message is not there any more, or not for you to read.',
  says: (/** @type {string} */ name, /** @type {string} */ text) => `${name}: ${text}`,

  // The composer
  write: (/** @type {string} */ title) => `Message ${title}`,
  send: 'Send',
  left: (/** @type {number} */ count) => `${number(count)} characters left`,
  over: (/** @type {number} */ count) => `${counted(count, 'character')} too many`,
  away: (/** @type {string} */ name) => `${name} is away, and will see this when back.`,
  muted: (/** @type {string} */ until) =>
    `A moderator has silenced you here${until ? ` until ${until}` : ''}. You can read.`,
  lost: (/** @type {string} */ title) => `You are no longer in ${title}.`,
  gone: (/** @type {string} */ title) => `You are not in ${title}, or it does not exist.`,
  invitation: (/** @type {string} */ title) => `You are invited to ${title}.`,
  join: 'Join',
  notAllowed: 'Only some may write here. You can read.',

  // Members
  members: 'Members',
  moreMembers: 'Show more',
  silenced: 'silenced',
};
