/**
 * What one does to rooms and in them, but for talking: find, make, join, leave, moderate. What comes of it, the store has.
 * @module
 */

import { Entrance } from './entrance.js';
import { happen, learnMembers } from './membership.js';
import { MAIN, Store } from './store.js';

/** @typedef {import('./protocol.js').Moderate} Moderate */
/** @typedef {import('./store.js').Change} Change */

export class Lobby extends Entrance {
  /** @param {import('./environment.js').Environment} environment */
  constructor(environment) {
    super(environment);
    this.store = new Store((change) => this.changed(change)); // another one after each logout
  }

  /**
   * Something has changed.
   * @param {Change} _change
   */
  changed(_change) {}

  /**
   * A page of the rooms that there are, behind a name.
   * @param {string} [after]
   * @returns {Promise<{ rooms: import('./protocol.js').RoomInfo[], more: boolean }>}
   */
  rooms(after) {
    return this.ask({ command: 'rooms', after: after || undefined });
  }

  /**
   * @param {string} room
   * @param {string} topic
   * @param {boolean} isPrivate
   */
  create(room, topic, isPrivate) {
    return this.enterRoom({ command: 'create', room, topic, private: isPrivate });
  }

  /** @param {string} room */
  join(room) {
    return this.enterRoom({ command: 'join', room });
  }

  /** @param {string} target */
  async leave(target) {
    await this.ask({ command: 'leave', room: this.roomOf(target) }, () => {
      const { open } = this.store;
      if (open === target) this.store.open = MAIN; // nothing of it is kept on show
      this.store.lose(target);
    });
  }

  /**
   * Loads members, a page behind a name.
   * @param {string} target
   * @param {string} [after]
   */
  async members(target, after = '') {
    const command = /** @type {const} */ ({ command: 'members', room: this.roomOf(target) });
    await this.ask(
      { ...command, after: after || undefined },
      (reply) => learnMembers(this.store, target, reply, after),
    );
  }

  /**
   * @param {string} target
   * @param {string} topic
   */
  async setTopic(target, topic) {
    const room = this.roomOf(target);
    await this.ask({ command: 'set_room', room, topic }, () => this.store.take({ type: 'room', room, topic }));
  }

  /** @param {string} target */
  async makePrivate(target) {
    const room = this.roomOf(target);
    const change = () => this.store.take({ type: 'room', room, private: true });
    await this.ask({ command: 'set_room', room, private: true }, change);
  }

  /**
   * @param {string} target
   * @param {string} username
   * @param {Moderate['action']} action
   * @param {{ role?: Moderate['role'], reason?: string, minutes?: number }} [more]
   */
  async moderate(target, username, action, { role, reason, minutes } = {}) {
    const room = this.roomOf(target);
    const command = /** @type {const} */ ({ command: 'moderate', room, username, action });
    await this.ask({ ...command, role, reason: reason || undefined, minutes }, (ack) => {
      const now = this.serviceNow;
      const until = minutes && new Date(now + minutes * 60_000).toISOString();
      const event = { room, username: ack.username, action, role, reason, until: until || undefined };
      happen(this.store, { type: 'member', by: this.store.me, time: new Date(now).toISOString(), ...event });
    });
  }

  /**
   * Who is banned, a page behind a name.
   * @param {string} target
   * @param {string} [after]
   * @returns {Promise<{ bans: import('./protocol.js').BanInfo[], more: boolean }>}
   */
  bans(target, after) {
    return this.ask({ command: 'bans', room: this.roomOf(target), after: after || undefined });
  }

  /**
   * @param {import('./protocol.js').Create | import('./protocol.js').Join} command
   * @returns {Promise<string>} the target
   */
  async enterRoom(command) {
    const reply = await this.ask(command, (reply) => this.store.take(reply));
    return `#${reply.room}`;
  }

  /** @param {string} target */
  placeOf(target) {
    if (target === MAIN) return {};
    return target[0] === '@' ? { with: target.slice(1) } : { room: target.slice(1) };
  }

  /** @param {string} target */
  roomOf(target) {
    return target === MAIN ? this.store.mainRoom : target.slice(1);
  }
}
