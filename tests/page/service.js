/**
 * A small service in memory, as docs/protocol.txt says: it takes commands and gives events when a test says so.
 *
 * Nothing moves by itself: commands wait in `inbox`, lines in `outgoing`, so that a test tears them apart anywhere.
 * @module
 */

import { HELLO } from './fakes.js';

/** @typedef {import('../../service/listeners/web/page/environment.js').Socket} Socket */
/**
 * @typedef {{
 *   id: number, time: string, from: string, to?: string, room?: string, created?: string, message: string, kind?: string,
 *   deleted?: string
 * }} Row
 */
/** @typedef {{ created: string, topic: string, members: Map<string, { role: string, read: number, since: number }> }} Room */

const PAGE = 7; // rows at most, whatever is asked for: so that pages go on

/** One connection: both the page's socket and the service's session. */
class Link {
  /** @param {FakeService} service */
  constructor(service) {
    /** @type {Socket['onmessage']} */
    this.onmessage = null;
    /** @type {Socket['onclose']} */
    this.onclose = null;
    this.service = service;
    this.name = '';
    this.token = '';
    /** @type {any[]} */
    this.inbox = [];
    /** @type {object[]} */
    this.outgoing = [HELLO];
    service.links.add(this);
  }

  /** @param {string} data */
  send(data) {
    this.inbox.push(JSON.parse(data));
  }

  close() {
    this.service.part(this);
  }

  /** The network tears it: what waits on either side is lost. */
  tear() {
    this.service.part(this);
    this.onclose?.();
  }

  /**
   * Gives so many lines to the page, as one message.
   * @param {number} [count]
   */
  deliver(count = Infinity) {
    const lines = this.outgoing.splice(0, count);
    if (lines.length) this.onmessage?.({ data: lines.map((line) => `${JSON.stringify(line)}\n`).join('') });
  }

  /** Does one command. */
  work() {
    const command = this.inbox.shift();
    if (command) this.service.take(this, command);
  }
}

export class FakeService {
  constructor() {
    /** @type {Set<Link>} */
    this.links = new Set();
    /** @type {Map<string, string>} names by token */
    this.tokens = new Map();
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<string, Row>} by name and nonce */
    this.nonces = new Map();
    /** @type {Map<string, Room>} */
    this.rooms = new Map();
    /** @type {Map<string, number>} markers in the main room */
    this.read = new Map();
    /** @type {Set<number>} ids of direct messages that are not seen */
    this.unseen = new Set();
    this.clock = 0;
    this.isFull = false; // nothing can be stored
  }

  connect() {
    return new Link(this);
  }

  /** All that waits is done and delivered, until nothing moves. */
  pump() {
    for (let moved = true; moved;) {
      moved = false;
      for (const link of this.links) {
        if (link.inbox.length || link.outgoing.length) moved = true;
        link.work();
        link.deliver();
      }
    }
  }

  now() {
    return new Date(1_800_000_000_000 + this.clock++).toISOString();
  }

  get lastId() {
    return this.rows.at(-1)?.id ?? 0;
  }

  get online() {
    return [...new Set([...this.links].map((link) => link.name).filter(Boolean))].sort();
  }

  /** @param {Link} link */
  part(link) {
    if (!this.links.delete(link)) return;
    link.outgoing = [];
    link.inbox = [];
    if (link.name && !this.online.includes(link.name)) this.pushPresence([], [link.name]);
  }

  /**
   * @param {string[]} arrived
   * @param {string[]} left
   */
  pushPresence(arrived, left) {
    const event = { type: 'presence', arrived, left, online: this.online.length, time: this.now() };
    for (const link of this.links) if (link.name) link.outgoing.push(event);
  }

  /**
   * Whether somebody may read a message.
   * @param {string} name
   * @param {Row} row
   */
  mayRead(name, row) {
    if (row.to !== undefined) return row.to === name || row.from === name;
    if (row.room === undefined) return true;
    const room = this.rooms.get(row.room); // perhaps another one of that name
    return room !== undefined && room.created === row.created && room.members.has(name);
  }

  /**
   * What somebody has in one conversation, by the name of its target.
   * @param {string} name
   * @param {string} target
   */
  rowsOf(name, target) {
    return this.rows.filter((row) => {
      if (!this.mayRead(name, row)) return false;
      if (row.to !== undefined) return target === `@${row.to === name ? row.from : row.to}`;
      return target === (row.room === undefined ? '#' : `#${row.room}`);
    });
  }

  /**
   * How many are unread there.
   * @param {string} name
   * @param {string} target
   */
  unreadOf(name, target) {
    const rows = this.rowsOf(name, target);
    if (target[0] === '@') return rows.filter((row) => row.to === name && this.unseen.has(row.id)).length;
    const read = target === '#'
      ? this.read.get(name) ?? 0
      : this.rooms.get(target.slice(1))?.members.get(name)?.read ?? 0;
    return rows.filter((row) => row.id > read && row.from !== name).length;
  }

  /**
   * @param {Link} link
   * @param {any} command
   */
  take(link, command) {
    const reply = (/** @type {object} */ event) => link.outgoing.push({ ...event, ref: command.ref });
    const refuse = (/** @type {string} */ code) =>
      reply({ type: 'error', code, message: code, command: command.command });
    const doer = /** @type {any} */ (this)[`do_${command.command}`];
    if (doer) doer.call(this, command, link, reply, refuse);
    else refuse('unknown_command');
  }

  /**
   * Tells an event to others.
   * @param {object} event
   * @param {Link} but
   * @param {(name: string) => boolean} whom
   */
  push(event, but, whom) {
    for (const link of this.links) if (link !== but && link.name && whom(link.name)) link.outgoing.push(event);
  }

  /** @param {any[]} all */
  page(all, limit = 50) {
    const most = Math.min(limit, PAGE);
    return { messages: all.slice(0, most), more: all.length > most };
  }

  // -- commands: (command, link, reply, refuse) -----------------------------------------------------------------------
  do_ping(/** @type {any} */ _, /** @type {Link} */ _link, /** @type {any} */ reply) {
    reply({ type: 'pong', time: this.now() });
  }

  do_login(/** @type {any} */ { username, password }, /** @type {Link} */ link, /** @type {any} */ reply) {
    if (!password) return reply({ type: 'password_required', username, registered: this.read.has(username) });
    const token = `token-${this.tokens.size}-${username}`;
    this.tokens.set(token, username);
    this.enter(username, token, link, reply);
  }

  do_resume(
    /** @type {any} */ { token },
    /** @type {Link} */ link,
    /** @type {any} */ reply,
    /** @type {any} */ refuse,
  ) {
    const name = this.tokens.get(token);
    if (!name) return refuse('bad_token');
    this.enter(name, token, link, reply);
  }

  /**
   * @param {string} name
   * @param {string} token
   * @param {Link} link
   * @param {any} reply
   */
  enter(name, token, link, reply) {
    const isNew = !this.online.includes(name);
    Object.assign(link, { name, token });
    if (!this.read.has(name)) this.read.set(name, this.lastId);
    const last = this.rows.filter((row) => this.mayRead(name, row)).at(-1)?.id ?? 0;
    const missed = this.rows.filter((row) => row.to === name && this.unseen.has(row.id)).length;
    const rooms = [...this.rooms].filter(([, room]) => room.members.has(name)).map(([room]) => this.infoOf(name, room));
    const own = { unread: this.unreadOf(name, '#'), read_id: this.read.get(name), role: 'member', topic: '', rooms };
    reply({
      type: 'login_ok',
      username: name,
      users: this.online,
      missed,
      last_id: last,
      token,
      time: this.now(),
      ...own,
    });
    if (isNew) this.pushPresence([name], []);
  }

  /**
   * @param {string} name
   * @param {string} room
   */
  infoOf(name, room) {
    const { created, topic, members } = /** @type {Room} */ (this.rooms.get(room));
    const own = members.get(name);
    const mine = own && { role: own.role, read_id: own.read, unread: this.unreadOf(name, `#${room}`) };
    return { room, created, topic, private: false, members: members.size, ...mine };
  }

  do_pm(/** @type {any} */ command, /** @type {Link} */ link, /** @type {any} */ reply, /** @type {any} */ refuse) {
    const { room, created } = command;
    const known = this.nonces.get(`${link.name} ${command.nonce}`);
    if (!known && room !== undefined) {
      const its = this.rooms.get(room);
      if (!its || (created && its.created !== created)) return refuse('unknown_room');
      if (!its.members.has(link.name)) return refuse('not_a_member');
    }
    this.store(command, link, reply, refuse, { room }, room && this.rooms.get(room)?.created);
  }

  do_dm(/** @type {any} */ command, /** @type {Link} */ link, /** @type {any} */ reply, /** @type {any} */ refuse) {
    if (!this.read.has(command.to)) return refuse('unknown_user');
    this.store(command, link, reply, refuse, { to: command.to });
  }

  /**
   * @param {any} command
   * @param {Link} link
   * @param {any} reply
   * @param {any} refuse
   * @param {{ to?: string, room?: string }} where
   * @param {string} [created]
   */
  store({ command, nonce, message, kind }, link, reply, refuse, where, created) {
    const key = `${link.name} ${nonce}`;
    let row = this.nonces.get(key);
    if (!row && this.isFull) return refuse('storage_unavailable');
    if (!row) {
      row = {
        id: this.lastId + 1 + (this.clock % 3),
        time: this.now(),
        from: link.name,
        ...where,
        created,
        message,
        kind,
      };
      this.rows.push(row);
      this.nonces.set(key, row);
      if (where.to !== undefined) this.unseen.add(row.id);
      const told = row;
      const type = where.to === undefined ? 'broadcast' : 'direct';
      this.push({ type, ...row }, link, (name) => this.mayRead(name, told));
    }
    const status = where.to === undefined ? {} : { status: this.online.includes(where.to) ? 'delivered' : 'stored' };
    reply({ type: 'ack', command, id: row.id, time: row.time, nonce, ...where, ...status });
  }

  do_history(
    /** @type {any} */ command,
    /** @type {Link} */ link,
    /** @type {any} */ reply,
    /** @type {any} */ refuse,
  ) {
    const { room, with: name, before = Infinity, after, limit } = command;
    if (room !== undefined && !this.rooms.get(room)?.members.has(link.name)) return refuse('not_a_member');
    const target = name !== undefined ? `@${name}` : room !== undefined ? `#${room}` : '#';
    const rows = this.rowsOf(link.name, target).filter((row) => row.id < before && row.id > (after ?? 0));
    const { messages, more } = this.page(after === undefined ? rows.reverse() : rows, limit);
    reply({ type: 'history', room, with: name, messages: after === undefined ? messages.reverse() : messages, more });
  }

  do_since(/** @type {any} */ { id, limit, deleted_after: after }, /** @type {Link} */ link, /** @type {any} */ reply) {
    const rows = this.rows.filter((row) => this.mayRead(link.name, row));
    const gone = rows.filter((row) => row.id <= id && row.deleted && after && row.deleted >= after);
    const deleted = after ? { deleted: gone.slice(0, 3).map((row) => row.id) } : {};
    const more = gone.length > 3 ? { deleted: [], deleted_more: true } : {};
    reply({
      type: 'since',
      ...this.page(rows.filter((row) => row.id > id), limit),
      time: this.now(),
      ...deleted,
      ...more,
    });
  }

  do_missed(/** @type {any} */ { limit }, /** @type {Link} */ link, /** @type {any} */ reply) {
    const rows = this.rows.filter((row) => row.to === link.name && this.unseen.has(row.id));
    reply({ type: 'missed', ...this.page(rows, limit) });
  }

  do_seen(/** @type {any} */ { id, room, with: name }, /** @type {Link} */ link, /** @type {any} */ reply) {
    const me = link.name;
    if (name !== undefined) {
      for (const row of this.rowsOf(me, `@${name}`)) if (row.id <= id && row.to === me) this.unseen.delete(row.id);
    } else if (room === HELLO.main_room) this.read.set(me, Math.max(this.read.get(me) ?? 0, id));
    else {
      const own = this.rooms.get(room)?.members.get(me);
      if (own) own.read = Math.max(own.read, id);
    }
    reply({ type: 'ack', command: 'seen', id, room, with: name });
    this.push({ type: 'read', id, room, with: name }, link, (other) => other === me);
  }

  do_delete(/** @type {any} */ { id }, /** @type {Link} */ link, /** @type {any} */ reply, /** @type {any} */ refuse) {
    const row = this.rows.find((one) => one.id === id && one.from === link.name);
    if (!row) return refuse('unknown_message');
    reply({ type: 'ack', command: 'delete', id });
    if (row.deleted) return;
    Object.assign(row, { deleted: this.now(), message: '', kind: undefined });
    this.unseen.delete(id);
    const event = { type: 'deleted', id, time: row.deleted, by: link.name, room: row.room };
    this.push(event, link, (name) => this.mayRead(name, row));
  }

  do_create(
    /** @type {any} */ { room, topic = '' },
    /** @type {Link} */ link,
    /** @type {any} */ reply,
    /** @type {any} */ refuse,
  ) {
    if (this.rooms.has(room)) return refuse('room_exists');
    this.rooms.set(room, { created: this.now(), topic, members: new Map() });
    this.join(room, 'owner', link, reply);
  }

  do_join(/** @type {any} */ { room }, /** @type {Link} */ link, /** @type {any} */ reply, /** @type {any} */ refuse) {
    if (!this.rooms.has(room)) return refuse('unknown_room');
    this.join(room, 'member', link, reply);
  }

  /**
   * @param {string} room
   * @param {string} role
   * @param {Link} link
   * @param {any} reply
   */
  join(room, role, link, reply) {
    const { members } = /** @type {Room} */ (this.rooms.get(room));
    const me = link.name;
    const isNew = !members.has(me);
    if (isNew) members.set(me, { role, read: this.lastId, since: this.lastId });
    const event = { type: 'room', ...this.infoOf(me, room), last_id: this.lastId };
    reply(event);
    if (!isNew) return;
    this.push(event, link, (name) => name === me);
    const joined = { type: 'member', room, username: me, action: 'join', role, time: this.now() };
    this.push(joined, link, (name) => name !== me && members.has(name));
  }

  do_leave(/** @type {any} */ { room }, /** @type {Link} */ link, /** @type {any} */ reply, /** @type {any} */ refuse) {
    const members = this.rooms.get(room)?.members;
    if (!members?.has(link.name)) return refuse('not_a_member');
    reply({ type: 'ack', command: 'leave', room });
    const event = { type: 'member', room, username: link.name, action: 'leave', time: this.now() };
    this.push(event, link, (name) => members.has(name));
    members.delete(link.name);
    if (!members.size) this.rooms.delete(room);
  }

  do_users(/** @type {any} */ _, /** @type {Link} */ _link, /** @type {any} */ reply) {
    reply({ type: 'users', users: this.online, time: this.now() });
  }

  do_logout(/** @type {any} */ _, /** @type {Link} */ link, /** @type {any} */ reply) {
    this.tokens.delete(link.token);
    reply({ type: 'bye', reason: 'logout' });
    this.push({ type: 'bye', reason: 'logout' }, link, () => false);
  }

  do_password(/** @type {any} */ _, /** @type {Link} */ link, /** @type {any} */ reply) {
    for (const [token, name] of this.tokens) if (name === link.name) this.tokens.delete(token);
    reply({ type: 'ack', command: 'password' });
    this.push({ type: 'bye', reason: 'password_changed' }, link, (name) => name === link.name);
  }
}
