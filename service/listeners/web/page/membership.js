/**
 * What the service tells of rooms and of who is in them, for the store: rooms change, members come and go. Pure.
 * @module
 */

import { MAIN } from './conversation.js';
import { words } from './words.js';

/** @typedef {import('./conversation.js').Conversation} Conversation */
/** @typedef {import('./protocol.js').RoomReply} RoomReply */
/** @typedef {import('./protocol.js').MemberEvent} MemberEvent */
/** @typedef {import('./protocol.js').MembersReply} MembersReply */
/** @typedef {import('./protocol.js').MemberInfo} MemberInfo */
/** @typedef {import('./store.js').Store} Store */

/**
 * Takes what is said of a room; what is left out stays.
 * @param {Conversation} conversation
 * @param {Omit<RoomReply, 'type'>} room
 */
export function learn(conversation, room) {
  conversation.created = room.created ?? conversation.created;
  conversation.topic = room.topic ?? conversation.topic;
  conversation.isPrivate = room.private ?? conversation.isPrivate;
  conversation.memberCount = room.members ?? conversation.memberCount;
  if (room.role !== undefined) {
    conversation.role = room.role;
    conversation.isInvited = false;
    conversation.muted = room.muted ? { until: room.muted_until ?? '' } : null;
  } else if (room.invited) conversation.isInvited = true;
}

/**
 * A room was made or joined, here or by another session; or it was changed; or it is no more.
 * @param {Store} store
 * @param {RoomReply} room
 */
export function changeRoom(store, room) {
  const target = store.roomOf(room.room);
  let conversation = store.get(target);
  if (room.gone) {
    if (conversation?.role) conversation.note('', words.gone(titleOf(conversation)));
    return store.lose(target);
  }
  const isOther = conversation !== undefined && room.created !== undefined && conversation.created !== room.created;
  if (room.role !== undefined && target !== MAIN && (!conversation?.role || isOther)) {
    const seam = room.last_id ?? store.cursor;
    conversation = store.beginAnew(target, seam + 1);
    conversation.start(room.unread ?? 0, room.read_id ?? seam, seam);
  }
  if (!conversation) return;
  const { topic, isPrivate } = conversation;
  learn(conversation, room);
  if (room.last_id === undefined) {
    if (conversation.topic !== topic) conversation.note('', words.newTopic(conversation.topic));
    if (conversation.isPrivate && !isPrivate) conversation.note('', words.nowPrivate);
  }
  store.tell({ kind: 'messages', target });
  store.tell({ kind: 'conversation', target });
  store.tell({ kind: 'list' });
}

/**
 * Somebody joined or left, or a moderator has acted on somebody.
 * @param {Store} store
 * @param {MemberEvent} event
 */
export function happen(store, event) {
  const target = store.roomOf(event.room);
  const isMe = event.username === store.me;
  if (isMe && event.action === 'invite' && !store.get(target)?.role) store.beginAnew(target, Infinity).isInvited = true;
  const conversation = store.get(target);
  if (!conversation) return;
  if (event.action !== 'join' && (event.action !== 'leave' || isMe)) {
    conversation.note(event.time, words.deed(event, store.me, titleOf(conversation)));
    store.tell({ kind: 'messages', target });
  }
  changeRows(conversation, event);
  if (isMe) concern(store, conversation, event);
  store.tell({ kind: 'members', target });
  store.tell({ kind: 'conversation', target });
}

/**
 * @param {Store} store
 * @param {Conversation} conversation
 * @param {MemberEvent} event
 */
function concern(store, conversation, event) {
  switch (event.action) {
    case 'mute':
      conversation.muted = { until: event.until ?? '' };
      break;
    case 'unmute':
      conversation.muted = null;
      break;
    case 'role':
      conversation.role = event.role ?? conversation.role;
      break;
    case 'leave':
    case 'kick':
    case 'ban':
      store.lose(conversation.target); // but for the main room: there the session ends
  }
}

/**
 * @param {Conversation} conversation
 * @param {MemberEvent} event
 */
function changeRows(conversation, event) {
  const { action, username: name } = event;
  const isGone = action === 'leave' || action === 'kick' || action === 'ban';
  if (action === 'join') conversation.memberCount++;
  if (isGone) conversation.memberCount = Math.max(0, conversation.memberCount - 1);
  if (!conversation.members) return;
  const rows = conversation.members.rows.filter((row) => row.name !== name);
  const known = conversation.members.rows.find((row) => row.name === name);
  if (action === 'join') rows.push({ name, role: event.role ?? 'member', online: true });
  else if (known && !isGone) rows.push(changed(known, event));
  rows.sort((one, other) => one.name < other.name ? -1 : 1);
  conversation.members = { ...conversation.members, rows };
}

/**
 * @param {MemberInfo} row
 * @param {MemberEvent} event
 * @returns {MemberInfo}
 */
function changed(row, event) {
  if (event.action === 'role') return { ...row, role: event.role ?? row.role };
  if (event.action === 'mute') return { ...row, muted: true, muted_until: event.until };
  if (event.action === 'unmute') return { name: row.name, role: row.role, online: row.online };
  return row;
}

/**
 * A page of members; `after`: behind those that are there.
 * @param {Store} store
 * @param {string} target
 * @param {MembersReply} reply
 * @param {string} after
 */
export function learnMembers(store, target, reply, after) {
  const conversation = store.get(target);
  if (!conversation) return;
  const before = after ? conversation.members?.rows.filter((row) => row.name <= after) ?? [] : [];
  conversation.members = { rows: [...before, ...reply.members], more: reply.more };
  store.tell({ kind: 'members', target });
}

/** @param {Conversation} conversation */
export function titleOf(conversation) {
  return conversation.kind === 'main' ? words.mainRoom : `#${conversation.name}`;
}
