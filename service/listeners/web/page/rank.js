/**
 * Who may do what in a room, as far as the page knows: for what it offers. The service decides. Pure.
 * @module
 */

/** @typedef {import('./conversation.js').Conversation} Conversation */
/** @typedef {'write' | 'topic' | 'invite' | 'kick' | 'ban' | 'mute' | 'role' | 'private' | 'bans' | 'leave'} Deed */
/** @typedef {'none' | 'member' | 'moderator' | 'owner'} Rank */

/** @type {readonly Rank[]} */
const RANKS = ['none', 'member', 'moderator', 'owner'];

/** @param {string} role */
const levelOf = (role) => Math.max(0, RANKS.indexOf(/** @type {Rank} */ (role)));

/**
 * The rank in a conversation: in a public room the higher of the role there and that in the main room.
 * @param {Conversation} conversation
 * @param {string} mainRole
 * @returns {Rank}
 */
export function rankIn(conversation, mainRole) {
  if (conversation.isTalk) return 'none';
  const own = levelOf(conversation.role);
  return RANKS[conversation.isPrivate ? own : Math.max(own, levelOf(mainRole) > 1 ? levelOf(mainRole) : 0)];
}

/**
 * @param {Conversation} conversation
 * @param {Rank} rank the user's there
 * @param {Deed} deed
 * @param {string} [other] the role of whom it is done to
 */
export function may(conversation, rank, deed, other = 'member') {
  const level = levelOf(rank);
  const isMember = conversation.role !== '' || conversation.kind === 'main';
  switch (deed) {
    case 'write':
      return !conversation.isLost && (conversation.isTalk || isMember); // a mute ends by the clock: Store.isMuted
    case 'topic':
    case 'bans':
      return level >= 2;
    case 'invite':
      return conversation.kind === 'room' && (level >= 2 || (isMember && !conversation.isPrivate));
    case 'kick':
    case 'ban':
    case 'mute':
      return level >= 2 && level > levelOf(other);
    case 'role':
      return level === 3 && levelOf(other) < 3;
    case 'private':
      return conversation.kind === 'room' && level === 3 && !conversation.isPrivate;
    case 'leave':
      return conversation.kind === 'room' && conversation.role !== '';
  }
}

/**
 * Whether to offer to delete a message of somebody with this role.
 * @param {Rank} rank
 * @param {import('./conversation.js').Message} message
 * @param {string} [other]
 */
export function mayDelete(rank, message, other = 'member') {
  return !message.deleted && (message.own || levelOf(rank) > Math.max(1, levelOf(other)));
}
