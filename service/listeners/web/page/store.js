/**
 * What the page knows of the chat: conversations, who is online, what is unread. Events come in, changes are told.
 *
 * It asks nobody, and knows neither socket, DOM nor clock.
 * @module
 */

import { Conversation, MAIN } from './conversation.js';
import { readElsewhere, rename } from './elsewhere.js';
import { changeRoom, happen, learn } from './membership.js';
import { may, mayDelete, rankIn } from './rank.js';
import { Spans } from './spans.js';
import { finderOf } from './text.js';

export { KEPT, MAIN } from './conversation.js';

/** @typedef {import('./protocol.js').StoredMessage} StoredMessage */
/** @typedef {import('./protocol.js').RoomInfo} RoomInfo */
/** @typedef {import('./protocol.js').RoomReply} RoomReply */
/** @typedef {import('./conversation.js').Message} Message */
/**
 * @typedef {{ kind: 'session' } | { kind: 'list' } | { kind: 'people' }
 *   | { kind: 'conversation' | 'messages' | 'pending' | 'members' | 'removed', target: string }
 *   | { kind: 'append', target: string, messages: Message[], live: boolean }
 *   | { kind: 'call', target: string, message: Message }
 *   | { kind: 'renamed', from: string, to: string }} Change
 */

export class Store {
  /** @param {(change: Change) => void} tell */
  constructor(tell) {
    this.tell = tell;
    this.me = '';
    this.mainRoom = '';
    /** @type {Set<string>} */
    this.online = new Set();
    this.onlineCount = 0; // by the service's word
    this.open = MAIN; // the conversation on show
    this.isLooking = false; // at the end of it
    this.lookedAt = Infinity; // the id of a message on show, from which far ones may be thrown away
    this.seam = 0; // the newest id at the login: what is later comes live
    this.cursor = 0; // the largest id of a message that came live or by `since`
    /** What of every talk is loaded from its beginning here. */
    this.base = new Spans();
    /** @type {RegExp | null} of the own name in a text */
    this.finder = null;
    /** @type {Map<string, Conversation>} */
    this.all = new Map();
  }

  // -- what views read ------------------------------------------------------------------------------------------------
  /** @param {string} target */
  get(target) {
    return this.all.get(target);
  }

  /** The main room, rooms by name, talks by name. */
  conversations() {
    const order = ['main', 'room', 'talk'];
    const byPlace = (/** @type {Conversation} */ one, /** @type {Conversation} */ other) =>
      order.indexOf(one.kind) - order.indexOf(other.kind) || (one.name < other.name ? -1 : 1);
    return [...this.all.values()].sort(byPlace);
  }

  unread() {
    const sum = { messages: 0, mentions: 0 };
    for (const conversation of this.all.values()) {
      sum.messages += conversation.unread;
      sum.mentions += conversation.mentions;
    }
    return sum;
  }

  /** @param {string} name */
  isOnline(name) {
    return this.online.has(name);
  }

  /** @param {string} target */
  rank(target) {
    const conversation = this.all.get(target);
    return conversation ? rankIn(conversation, this.all.get(MAIN)?.role ?? '') : 'none';
  }

  /**
   * @param {string} target
   * @param {import('./rank.js').Deed} deed
   * @param {string} [other] the role of whom it is done to
   */
  may(target, deed, other) {
    const conversation = this.all.get(target);
    return conversation !== undefined && may(conversation, this.rank(target), deed, other);
  }

  /**
   * @param {string} target
   * @param {Message} message
   */
  mayDelete(target, message) {
    const rows = this.all.get(target)?.members?.rows;
    return mayDelete(this.rank(target), message, rows?.find((row) => row.name === message.from)?.role);
  }

  /**
   * @param {Conversation} conversation
   * @param {string} now ISO
   */
  isMuted(conversation, now) {
    return conversation.muted !== null && (!conversation.muted.until || conversation.muted.until > now);
  }

  // -- what is told ---------------------------------------------------------------------------------------------------
  /**
   * A login: what is later than its `last_id` comes live, and what came between the cursor and there is not loaded yet.
   * Gives the conversations that the service takes for less read than they are, with the last ids that were shown.
   * @param {import('./protocol.js').LoginOkReply} login
   * @param {string} mainRoom
   */
  start(login, mainRoom) {
    this.me = login.username;
    this.seam = login.last_id;
    if (this.cursor > login.last_id) {
      for (const conversation of this.all.values()) {
        conversation.rewind(login.last_id);
        this.tell({ kind: 'messages', target: conversation.target });
      }
      this.cursor = login.last_id;
    }
    this.mainRoom = mainRoom;
    this.finder = finderOf(login.username);
    for (const spans of [this.base, ...[...this.all.values()].map((one) => one.spans)]) {
      spans.cut(this.cursor + 1, login.last_id);
      spans.add(login.last_id + 1, Infinity);
    }
    this.setOnline(login.users);
    const main = this.begin(MAIN);
    main.name = mainRoom;
    main.topic = login.topic ?? '';
    main.role = login.role ?? '';
    main.muted = login.muted ? { until: login.muted_until ?? '' } : null;
    const shown = new Map([[main, main.start(login.unread, login.read_id ?? 0, login.last_id)]]);
    const rooms = new Map((login.rooms ?? []).map((room) => [`#${room.room}`, room]));
    for (const conversation of [...this.all.values()]) {
      if (conversation.kind === 'room' && !rooms.has(conversation.target)) this.lose(conversation.target);
    }
    for (const [target, room] of rooms) {
      const known = this.all.get(target);
      const isSame = known && !known.isLost && known.created === room.created;
      const conversation = isSame ? known : this.beginAnew(target, login.last_id + 1);
      learn(conversation, room);
      shown.set(conversation, conversation.start(room.unread ?? 0, room.read_id ?? 0, login.last_id));
    }
    this.tell({ kind: 'list' });
    this.tell({ kind: 'conversation', target: MAIN });
    return new Map([...shown].filter(([, id]) => id).map(([conversation, id]) => [conversation.target, id]));
  }

  /**
   * An own message is stored.
   * @param {import('./protocol.js').AckReply} ack
   * @param {{ target: string, created?: string, text: string, kind: string }} sent
   */
  sent(ack, sent) {
    if (ack.id === undefined || ack.time === undefined) return;
    const target = ack.to === undefined ? sent.target : `@${ack.to}`;
    const conversation = ack.to === undefined ? this.all.get(target) : this.begin(target);
    // It may have been said in a room that is gone meanwhile, before there was another one of its name.
    if (!conversation || sent.created && sent.created !== conversation.created) return;
    const { id, time } = ack;
    const row = { id, time, from: this.me, to: ack.to, message: sent.text, kind: sent.kind };
    const place = this.put(conversation, row);
    if (ack.status && conversation.change(id, { status: ack.status }) && !place) {
      this.tell({ kind: 'messages', target });
    }
    // A note to oneself is missed until it is confirmed; of an older one the service says it with the login.
    if (place && ack.to === this.me && id > this.seam) conversation.miss(id);
    this.tellOf(conversation, place, id);
  }

  /**
   * What the service pushes.
   * @param {import('./protocol.js').Event} event
   */
  take(event) {
    switch (event.type) {
      case 'broadcast':
      case 'direct':
        this.cursor = Math.max(this.cursor, event.id);
        return this.live(event);
      case 'deleted':
        return this.erase(event.id, event.time);
      case 'renamed':
        return rename(this, event.from, event.to);
      case 'room':
        return changeRoom(this, event);
      case 'member':
        return happen(this, event);
      case 'read':
        return readElsewhere(this, event);
      case 'users':
        return this.setOnline(event.users);
      case 'presence':
        for (const name of event.arrived) this.online.add(name);
        for (const name of event.left) this.online.delete(name);
        this.onlineCount = event.online;
        return this.tell({ kind: 'people' });
    }
  }

  /** @param {readonly string[]} users */
  setOnline(users) {
    this.online = new Set(users);
    this.onlineCount = users.length;
    this.tell({ kind: 'people' });
  }

  /**
   * @param {number} id
   * @param {string} time
   */
  erase(id, time) {
    for (const conversation of this.all.values()) {
      const before = conversation.unread + conversation.mentions;
      if (conversation.erase(id, time)) this.tell({ kind: 'messages', target: conversation.target });
      if (before !== conversation.unread + conversation.mentions) this.tell({ kind: 'list' });
    }
  }

  /**
   * All up to this id was shown, here or elsewhere.
   * @param {string} target
   * @param {number} id
   */
  read(target, id) {
    if (this.all.get(target)?.read(id)) this.tell({ kind: 'list' });
  }

  // -- messages -------------------------------------------------------------------------------------------------------
  /**
   * The conversation of a message.
   * @param {{ from: string, to?: string, room?: string }} row
   */
  targetOf(row) {
    if (row.to !== undefined) return `@${row.to === this.me ? row.from : row.to}`;
    return row.room === undefined ? MAIN : `#${row.room}`;
  }

  /**
   * A message of the wire as one on show.
   * @param {{
   *   id: number, time: string, from: string, to?: string, message: string, kind?: string, deleted?: string
   * }} row
   * @returns {Message}
   */
  messageOf(row) {
    const own = row.from === this.me;
    const mentions = !own && (this.finder?.test(row.message) ?? false);
    const { id, time, from, to, message: text, kind = '', deleted = '' } = row;
    return { id, time, from, to, text, kind, deleted, own, mentions, status: '' };
  }

  /**
   * The conversation of that name; one that was not there begins.
   * @param {string} target
   * @param {Spans} [spans]
   */
  begin(target, spans) {
    let conversation = this.all.get(target);
    if (!conversation) {
      conversation = new Conversation(target, spans ?? this.base.copy());
      this.all.set(target, conversation);
      this.tell({ kind: 'list' });
    }
    return conversation;
  }

  /**
   * Takes a message in, and counts it.
   * @param {Conversation} conversation
   * @param {Parameters<Store['messageOf']>[0]} row
   */
  put(conversation, row) {
    const message = this.messageOf(row);
    const place = conversation.insert(message);
    if (place && !conversation.spans.has(row.id)) conversation.spans.add(row.id, row.id);
    if (place && !conversation.isTalk) conversation.weigh(message);
    return place;
  }

  /**
   * A message came live.
   * @param {import('./protocol.js').BroadcastEvent | import('./protocol.js').DirectEvent} event
   */
  live(event) {
    const target = this.targetOf(event);
    const conversation = this.known(target);
    if (!conversation) return;
    const place = this.put(conversation, event); // none: a page had it before
    if ('to' in event && event.to === this.me) conversation.miss(event.id);
    const message = conversation.find(event.id);
    this.tellOf(conversation, place, event.id);
    const calls = message && !message.own && (conversation.isTalk || message.mentions);
    if (calls && !(this.isLooking && this.open === target)) this.tell({ kind: 'call', target, message });
  }

  /**
   * @param {Conversation} conversation
   * @param {'' | 'last' | 'between'} place
   * @param {number} id
   */
  tellOf(conversation, place, id) {
    const { target } = conversation;
    const message = conversation.find(id);
    if (this.trim(conversation) || place === 'between') this.tell({ kind: 'messages', target });
    else if (place && message) this.tell({ kind: 'append', target, messages: [message], live: true });
    this.tell({ kind: 'list' });
  }

  /** @param {Conversation} conversation */
  trim(conversation) {
    const isAbove = conversation.target === this.open && !this.isLooking;
    return conversation.trim(isAbove ? this.lookedAt : Infinity);
  }

  /**
   * The target of a room of that name; the main room may be named, too.
   * @param {string | undefined} room
   */
  roomOf(room) {
    return room === undefined || room === this.mainRoom ? MAIN : `#${room}`;
  }

  /**
   * The conversation for a message that came; a talk begins with it. None for a room that the user is not in, as far as
   * this session was told: when it is told, history has the message.
   * @param {string} target
   */
  known(target) {
    if (target[0] === '@') return Object.assign(this.begin(target), { isLost: false });
    const conversation = this.all.get(target);
    return conversation?.isLost ? undefined : conversation;
  }

  /**
   * A room of that name which is another one than before, or was lost; it comes live from `first` on. Own texts that are
   * stored or wait already stay.
   * @param {string} target
   * @param {number} first
   */
  beginAnew(target, first) {
    const { pending = [], messages = [] } = this.all.get(target) ?? {};
    this.all.delete(target);
    this.tell({ kind: 'messages', target });
    const fresh = messages.filter((message) => message.id >= first);
    return Object.assign(this.begin(target, new Spans([[first, Infinity]])), { pending, messages: fresh });
  }

  /**
   * Nothing is kept of a conversation. One on show stays, marked as lost, until the user turns away, and one with own
   * texts that wait until those are gone.
   * @param {string} target
   */
  lose(target) {
    const conversation = this.all.get(target);
    if (!conversation || target === MAIN) return;
    if ((target === this.open && !conversation.isInvited) || conversation.pending.length) {
      Object.assign(conversation, { isLost: true, role: '', members: null });
      conversation.start(0, 0, Infinity);
      conversation.forgetUnseen(Infinity);
      this.tell({ kind: 'conversation', target });
    } else {
      this.all.delete(target);
      this.tell({ kind: 'removed', target });
    }
    this.tell({ kind: 'list' });
  }
}
