/**
 * What happens elsewhere: other sessions of the user read messages, and the operator gives people other names. Pure.
 * @module
 */

import { finderOf } from './text.js';

/** @typedef {import('./store.js').Store} Store */

/**
 * Somebody has another name.
 * @param {Store} store
 * @param {string} from
 * @param {string} to
 */
export function rename(store, from, to) {
  if (from === store.me) [store.me, store.finder] = [to, finderOf(to)];
  if (store.online.delete(from)) store.online.add(to);
  for (const conversation of store.all.values()) {
    if (conversation.rename(from, to)) store.tell({ kind: 'messages', target: conversation.target });
  }
  const [old, target] = [`@${from}`, `@${to}`];
  const talk = store.all.get(old);
  if (talk && (!talk.messages.length || !store.all.has(target))) {
    store.all.delete(old);
    if (!store.all.has(target)) store.all.set(target, Object.assign(talk, { target, name: to }));
    if (store.open === old) store.open = target;
    store.tell({ kind: 'renamed', from, to });
  }
  store.tell({ kind: 'list' });
  store.tell({ kind: 'people' });
}

/**
 * Another session of the user has shown messages.
 * @param {Store} store
 * @param {import('./protocol.js').ReadEvent} event
 */
export function readElsewhere(store, event) {
  const { room, with: name, id, ids } = event;
  for (const conversation of store.all.values()) {
    if (conversation.isTalk && ids) ids.forEach((one) => conversation.readOne(one));
    else if (id !== undefined) {
      const isMeant = room !== undefined
        ? conversation.target === store.roomOf(room)
        : name !== undefined
        ? conversation.target === `@${name}`
        : conversation.kind !== 'room';
      const newest = Math.max(store.cursor, conversation.newestId); // an id beyond it counts as it
      if (isMeant) conversation.read(Math.min(id, newest));
    }
  }
  store.tell({ kind: 'list' });
}
