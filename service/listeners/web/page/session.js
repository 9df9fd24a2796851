/**
 * What one does in the chat: say, open, read on, search, rooms. The one thing that views call; they never see the socket.
 *
 * Who is logged in is entrance.js; what is known is store.js, which views read and never write.
 * @module
 */

import { CatchUp } from './catchup.js';
import { rename } from './elsewhere.js';
import { Lobby } from './lobby.js';
import { Outbox } from './outbox.js';
import { page } from './pages.js';
import { LIMITS } from './protocol.js';
import { Seer } from './seer.js';
import { Sender } from './sender.js';
import { MAIN, Store } from './store.js';
import { Talks } from './talks.js';
import { bytesOf } from './text.js';
import { Refusal, refused, words } from './words.js';

/** @typedef {import('./protocol.js').Event} Event */
/** @typedef {import('./protocol.js').LoginOkReply} LoginOkReply */
/** @typedef {import('./store.js').Change} Change */

const PAGE = 50; // messages: some screens
const CONTEXT = 20; // messages above the unread ones
const AROUND_TEXT = 1000; // bytes of a line beside its text: target, nonce and ref
const AROUND = 25; // messages on either side of one that is shown in its place

export class Session extends Lobby {
  /** @param {import('./environment.js').Environment} environment */
  constructor(environment) {
    super(environment);
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    this.isCounting = false; // who is online
    /** @type {ReturnType<import('./vault.js').Vault['drawer']> | null} what views keep for the account */
    this.keep = null;
    this.catchUp = new CatchUp(this.wire, this.store, () => this.caughtUp());
    this.seer = new Seer(this.wire, this.store, this.catchUp);
    /** @type {Sender | null} */
    this.sender = null;
    /** @type {Talks | null} */
    this.talks = null;
  }

  get isCaughtUp() {
    return this.phase === 'in' && this.link === 'online' && !this.catchUp.isUnderWay;
  }

  /** How many own texts wait. */
  get waiting() {
    return this.sender?.outbox.waiting.length ?? 0;
  }

  /**
   * @param {(change: Change) => void} listener
   * @returns {() => void} ends it
   */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // -- own texts ------------------------------------------------------------------------------------------------------
  /**
   * Says something; it is sent as soon as it can be. A Refusal leaves the text to who wrote it.
   * @param {string} target
   * @param {string} text
   * @param {string} [kind]
   * @returns {Refusal | null}
   */
  say(target, text, kind = '') {
    if (!this.sender) return new Refusal(words.offline, 'offline'); // one was logged out this very moment
    const { max_message: most = Infinity, max_line: bytes = Infinity } = this.hello ?? {};
    // The service ends a session for a longer line, and the text would be sent again after each login.
    if (bytesOf(text) + AROUND_TEXT > bytes) return new Refusal(words.tooLarge, 'line_too_long');
    return this.sender.say(target, text, kind, most);
  }

  /**
   * Sends a refused text once more.
   * @param {string} nonce
   */
  again(nonce) {
    this.sender?.again(nonce);
  }

  /** @param {string} nonce */
  discard(nonce) {
    this.sender?.discard(nonce);
  }

  /**
   * Another tab has changed the storage: for the `storage` event.
   * @param {string | null} key
   * @param {string | null} value
   */
  hearStorage(key, value) {
    this.sender?.hear(key, value);
  }

  // -- conversations --------------------------------------------------------------------------------------------------
  /**
   * Turns to a conversation, and loads what it takes. Rejects with Refusal where there is no such room. Before the login
   * it only says where to begin.
   * @param {string} target
   */
  async open(target) {
    const { store } = this;
    const before = store.get(store.open);
    if (this.phase === 'in') {
      if (target[0] === '@') store.begin(target);
      if (!store.get(target)) throw new Refusal(words.notThere, 'not_a_member');
    }
    store.open = target;
    if (before?.isLost && before.target !== target) store.lose(before.target);
    this.look({ isAtEnd: false, at: Infinity });
    if (this.isCaughtUp) await this.load(target);
  }

  /**
   * How the open conversation is looked at; a field that is left out stays. All three together make what is new there
   * seen. `at`: the id of a message on show.
   * @param {Parameters<Seer['look']>[0]} sight
   */
  look(sight) {
    this.seer.look(sight);
  }

  /**
   * Loads what came before a message. Gives how many messages are new; 0: there are none.
   * @param {string} target
   * @param {number} id
   */
  older(target, id) {
    return this.fetch(target, { before: id });
  }

  /**
   * @param {string} target
   * @param {number} id
   */
  newer(target, id) {
    return this.fetch(target, { after: id });
  }

  /** @param {string} target */
  newest(target) {
    return this.fetch(target, { limit: this.wantedOf(target) });
  }

  /**
   * Loads the talk on both sides of a message. Whether the message is there.
   * @param {string} target
   * @param {number} id
   */
  async around(target, id) {
    await Promise.all([
      this.fetch(target, { before: id + 1, limit: AROUND }),
      this.fetch(target, { after: id, limit: AROUND }),
    ]);
    return this.store.get(target)?.find(id) !== undefined;
  }

  /**
   * Messages with these words, the newest first.
   * @param {string} query
   * @param {{ target?: string, before?: number }} [where]
   * @returns {Promise<{ messages: (import('./conversation.js').Message & { target: string })[], more: boolean }>}
   */
  async search(query, { target, before } = {}) {
    const hasRooms = this.wire.features.includes('rooms');
    const place = target === undefined ? {} : target === MAIN && hasRooms
      ? { room: this.store.mainRoom } // without it all rooms are searched
      : this.placeOf(target);
    const { messages, more } = await this.ask({ command: 'search', query, before, ...place });
    const found = messages.map((/** @type {import('./protocol.js').StoredMessage} */ row) => ({
      ...this.store.messageOf(row),
      target: this.store.targetOf(row),
    }));
    return { messages: found, more };
  }

  /**
   * Deletes a message.
   * @param {number} id
   * @param {string} [reason]
   */
  async remove(id, reason) {
    await this.ask({ command: 'delete', id, reason: reason || undefined }, () => {
      this.store.erase(id, new Date(this.environment.now()).toISOString());
    });
  }

  /**
   * The talk with somebody. Rejects with Refusal where there is nobody of that name.
   * @param {string} name
   */
  async talkWith(name) {
    const command = /** @type {const} */ ({ command: 'history', with: name, limit: PAGE });
    const reply = await this.ask(command, (reply) => page(this.store, `@${reply.with}`, {}, reply));
    return `@${reply.with}`;
  }

  // -- within ---------------------------------------------------------------------------------------------------------
  /** The page goes away: what was shown is confirmed. */
  leavePage() {
    this.seer.send();
  }

  /**
   * @override
   * @param {Change} change
   */
  changed(change) {
    if (change.kind === 'renamed') {
      this.sender?.rename(`@${change.from}`, `@${change.to}`);
      this.talks?.remove(change.from);
      this.talks?.add(change.to);
    } else if ((change.kind === 'append' || change.kind === 'messages') && change.target[0] === '@') {
      const talk = this.store.get(change.target);
      if (talk?.messages.length && !talk.isLost) this.talks?.add(talk.name);
    }
    for (const listener of this.listeners) listener(change);
    if (change.kind === 'people' && this.store.onlineCount !== this.store.online.size) this.recount();
    if ((change.kind === 'append' || change.kind === 'messages') && change.target === this.store.open) {
      this.seer.confirm();
    }
  }

  /** @override */
  turn() {
    this.changed({ kind: 'session' });
  }

  /**
   * @override
   * @param {Event} event
   */
  take(event) {
    if (this.phase !== 'in') return;
    this.catchUp.take(event);
  }

  /**
   * @override
   * @param {() => void} then
   */
  inOrder(then) {
    this.catchUp.inOrder(then);
  }

  /**
   * @override
   * @param {LoginOkReply} login
   * @param {boolean} isBack
   */
  begin(login, isBack) {
    const { store } = this;
    const shown = this.catchUp.begin(login, this.hello?.main_room ?? 'all', isBack);
    if (store.open[0] === '@') store.begin(store.open);
    if (!store.get(store.open)) store.open = MAIN;
    const outbox = this.sender?.outbox ?? new Outbox(this.vault.area, login.username, this.environment);
    outbox.moveTo(login.username); // it may have been renamed
    this.keep = this.vault.drawer(login.username);
    this.talks = new Talks(this.keep);
    if (!isBack) { for (const name of this.talks.names) store.begin(`@${name}`); }
    this.sender ??= new Sender(this.wire, store, this.catchUp, outbox);
    this.sender.begin(); // first of all: their acks come before `since` brings those that were stored
    for (const [target, id] of shown) this.seer.tell(target, id);
    if (!isBack) this.load(store.open).catch(() => {}); // what one looks at comes before the rest
    this.catchUp.fetch(login);
  }

  /**
   * There is nobody of that name any more.
   * @param {string} target
   */
  forget(target) {
    this.talks?.remove(target.slice(1));
    this.store.lose(target);
  }

  /** @override */
  pause() {
    this.catchUp.stop();
    this.seer.stop();
    this.sender?.stop();
  }

  /** @override */
  end() {
    this.pause();
    this.sender = null;
    this.talks = null;
    this.keep = null;
    this.store = new Store((change) => this.changed(change));
    this.catchUp = new CatchUp(this.wire, this.store, () => this.caughtUp());
    this.seer = new Seer(this.wire, this.store, this.catchUp);
  }

  caughtUp() {
    this.load(this.store.open).catch(() => {}); // after a gap
    this.seer.begin();
    this.turn();
  }

  /** Who is online is told by changes: where the numbers differ, all are asked for. */
  recount() {
    if (this.isCounting) return;
    this.isCounting = true;
    this.wire.send({ command: 'users' }, (reply) => {
      this.isCounting = false;
      if (reply) this.catchUp.take(reply);
    });
  }

  /**
   * Loads what a conversation needs to be looked at.
   * @param {string} target
   */
  async load(target) {
    const conversation = this.store.get(target);
    if (!conversation || conversation.isLost || conversation.isInvited) return;
    const limit = this.wantedOf(target);
    // Whether there is somebody of that name, and how it is written, only the service knows.
    const isUnsure = conversation.isTalk && !conversation.messages.length;
    if (!conversation.hasNewest || isUnsure) await this.fetch(target, { limit });
    else if (conversation.isGap(0) && conversation.messages.length < limit) {
      await this.fetch(target, { before: conversation.messages[0]?.id, limit });
    }
  }

  /**
   * The target as the service writes it: names are the same in small letters and in capitals.
   * @param {string} target
   * @param {{ with?: string }} reply
   */
  named(target, { with: name }) {
    if (target[0] !== '@' || name === undefined || target === `@${name}`) return target;
    rename(this.store, target.slice(1), name);
    return `@${name}`;
  }

  /** @param {string} target */
  wantedOf(target) {
    return Math.min(LIMITS.MAX_PAGE, Math.max(PAGE, (this.store.get(target)?.unread ?? 0) + CONTEXT));
  }

  /**
   * @param {string} target
   * @param {{ before?: number, after?: number, limit?: number }} asked
   * @returns {Promise<number>}
   */
  fetch(target, asked) {
    const { before, after, limit = PAGE } = asked;
    const { store } = this;
    return new Promise((resolve, reject) => {
      if (!this.isEntered) return reject(new Refusal(words.offline, 'offline'));
      // Not in order: what one looks at does not wait, and a page is joined by ids.
      this.wire.send({ command: 'history', before, after, limit, ...this.placeOf(target) }, (reply) => {
        if (reply?.type === 'history') return resolve(page(store, this.named(target, reply), asked, reply));
        if (reply?.type === 'error' && reply.code === 'unknown_user') this.forget(target);
        reject(reply?.type === 'error' ? refused(reply) : new Refusal(words.offline, 'offline'));
      });
    });
  }
}
