/**
 * Who is logged in: login, registration, token, logout, and the return after a loss. What is said inside is session.js.
 *
 * A password is kept no longer than it takes to send it, and stands in no error.
 * @module
 */

import { VERSION, withWishes } from './protocol.js';
import { SHORT, Vault } from './vault.js';
import { Wire } from './wire.js';
import { Refusal, refused, words } from './words.js';

/** @typedef {import('./protocol.js').Command} Command */
/** @typedef {import('./protocol.js').Event} Event */
/** @typedef {import('./protocol.js').Entry} Entry */
/** @typedef {import('./protocol.js').HelloEvent} HelloEvent */
/** @typedef {import('./protocol.js').LoginOkReply} LoginOkReply */
/** @typedef {import('./environment.js').Environment} Environment */

const GIVE_UP = new Set(['kicked', 'logout', 'password_changed', 'exit']); // reasons of `bye` after which users are asked
const PASSING = new Set(['too_many_connections', 'login_timeout', 'internal']); // fatal ones: it comes back

export class Entrance {
  /** @param {Environment} environment */
  constructor(environment) {
    /** @type {'entering' | 'out' | 'in'} */
    this.phase = 'out';
    /** @type {HelloEvent | null} */
    this.hello = null;
    this.notice = ''; // why one is out
    this.motd = '';
    this.account = ''; // the name of who is in
    this.token = '';
    this.environment = environment;
    this.vault = new Vault(environment);
    /** @type {((problem: Refusal | null) => void)[]} who waits for `hello` */
    this.visitors = [];
    /** @type {Entry | null} how to log in on the next connection, in place of the token */
    this.next = null;
    this.isLeaving = false;
    this.isEntered = false; // on this connection
    this.wire = new Wire(environment, {
      hello: (hello) => this.greet(hello),
      take: (event) => this.take(event),
      lost: (ending) => this.lost(ending),
      turn: () => this.turn(),
    });
    environment.onChange(() => this.wire.nudge());
  }

  get isSecure() {
    return this.environment.isSecure;
  }

  /** What to say where the browser keeps nothing; empty where it does. */
  get memoryNote() {
    if (this.vault.keeps) return '';
    return this.isSecure ? words.noStorage : words.insecure;
  }

  /** Online is: logged in on this connection, or nobody is. */
  get link() {
    const { state } = this.wire;
    return state === 'online' && this.phase !== 'out' && !this.isEntered ? 'connecting' : state;
  }

  get retryAt() {
    return this.wire.retryAt;
  }

  /** Logs in by the token that is kept, if there is one; connects anyway, to know whose service it is. */
  start() {
    const kept = this.vault.find();
    if (kept) {
      this.phase = 'entering';
      this.account = kept.name;
      this.token = kept.token;
    }
    this.wire.comesBack = true;
    this.wire.connect();
    this.turn();
  }

  /** The user does not want to wait for the next try. */
  retryNow() {
    this.wire.nudge();
  }

  // -- what users ask for ---------------------------------------------------------------------------------------------
  /**
   * Whether a name has an account: so whether to ask for its password, or for a new one.
   * @param {string} username
   * @returns {Promise<{ username: string, registered: boolean }>}
   */
  async askName(username) {
    const reply = await this.knock({ command: 'login', username });
    if (reply.type !== 'password_required') throw new Refusal(words.strange);
    return { username: reply.username, registered: reply.registered };
  }

  /**
   * @param {string} username
   * @param {string} password
   * @param {boolean} stays over an end of the browser
   */
  async login(username, password, stays) {
    await this.enter({ command: 'login', username, password, ...this.lifetime(stays) }, stays);
  }

  /**
   * @param {string} username
   * @param {string} password
   * @param {boolean} stays
   */
  async register(username, password, stays) {
    await this.enter({ command: 'register', username, password, ...this.lifetime(stays) }, stays);
  }

  /**
   * The session goes on by a new login, as its token has ended.
   * @param {string} old
   * @param {string} password
   */
  async changePassword(old, password) {
    await this.ask({ command: 'password', old, new: password });
    this.next = { command: 'login', username: this.account, password, ...this.lifetime(this.vault.stays) };
    this.vault.forget(this.token);
    this.token = '';
    this.wire.settle();
    this.wire.drop();
    this.wire.nudge();
  }

  /** Ends the token at the service, and forgets what is kept of the account. */
  async logout() {
    const isTold = this.isEntered;
    this.isLeaving = true; // its end is no loss
    /** @type {Event | null} */
    const reply = isTold
      ? await new Promise((done) => {
        this.wire.nudge(); // a dead connection is found out soon: who leaves does not wait for it
        this.wire.send({ command: 'logout' }, done);
      })
      : null;
    this.vault.empty(this.account);
    this.goOut(reply?.type === 'bye' ? '' : words.loggedOutHere);
  }

  // -- for who builds on it -------------------------------------------------------------------------------------------
  /**
   * Sends a command; `apply` runs at the reply's place among the events. Rejects with Refusal.
   * @param {Command} command
   * @param {(reply: any) => void} [apply]
   * @returns {Promise<any>} the reply
   */
  ask(command, apply = () => {}) {
    return new Promise((resolve, reject) => {
      if (this.phase === 'in' && !this.isEntered) return reject(new Refusal(words.offline, 'offline'));
      this.wire.send(command, (reply) => {
        if (!reply) return reject(new Refusal(words.offline, 'offline'));
        if (reply.type === 'error') return reject(refused(reply, this.hello));
        this.inOrder(() => {
          apply(reply);
          resolve(reply);
        });
      });
    });
  }

  /**
   * Does something at its place among the events that are pushed, which may wait.
   * @param {() => void} then
   */
  inOrder(then) {
    then();
  }

  /** Something of this has changed. */
  turn() {}

  /**
   * What the service pushes.
   * @param {Event} _event
   */
  take(_event) {}

  /**
   * A login; `isBack`: after a loss.
   * @param {LoginOkReply} _login
   * @param {boolean} _isBack
   */
  begin(_login, _isBack) {}

  /** The connection is lost, and comes back. */
  pause() {}

  /** Nobody is logged in any more. */
  end() {}

  // -- the wire's calls -----------------------------------------------------------------------------------------------
  /** @param {HelloEvent} hello */
  greet(hello) {
    this.hello = hello;
    if (hello.protocol !== VERSION) return this.goOut(words.otherVersion);
    const entry = this.next ?? (this.token ? { command: /** @type {const} */ ('resume'), token: this.token } : null);
    if (this.phase !== 'out') {
      if (!entry) return this.goOut(words.sessionEnded);
      this.wire.send(withWishes(entry, this.wire.features), (reply) => this.resumed(reply));
    }
    this.welcome(null);
    this.turn();
  }

  /** @param {Event | null} reply */
  resumed(reply) {
    if (!reply) return;
    this.next = null;
    if (reply.type === 'login_ok') return this.accept(reply);
    if (reply.type === 'error' && (reply.code === 'bad_token' || reply.code === 'bad_credentials')) {
      this.vault.forget(this.token);
      const other = this.vault.find(this.token); // another tab may have a new one
      if (!other || (this.phase === 'in' && other.name !== this.account)) return this.goOut(words.sessionEnded);
      this.token = other.token;
      this.account = other.name;
      this.wire.send(
        withWishes({ command: 'resume', token: this.token }, this.wire.features),
        (again) => again?.type === 'error' ? this.goOut(words.sessionEnded) : this.resumed(again),
      );
    } else if (reply.type === 'error' && reply.code === 'banned') {
      this.goOut(refused(reply, this.hello).text);
    } else this.wire.drop(); // it may pass
  }

  /** @param {import('./wire.js').Ending} ending */
  lost({ reason, code }) {
    this.isEntered = false;
    this.welcome(new Refusal(words.noConnection, 'offline'));
    if (this.phase === 'out') {
      if (this.hello) this.wire.stop(); // connected again when something is asked
    } else if (this.isLeaving) this.wire.comesBack = false;
    else if (GIVE_UP.has(reason) && !PASSING.has(code)) this.dismiss(reason);
    else if (this.phase === 'in') this.pause();
    this.turn();
  }

  /** @param {string} reason of `bye` */
  dismiss(reason) {
    if (reason !== 'kicked') this.vault.forget(this.token); // who was kicked may come back by it
    this.goOut(words.dismissed(reason));
  }

  // -- within ---------------------------------------------------------------------------------------------------------
  /** @param {boolean} stays */
  lifetime(stays) {
    return stays && this.vault.keeps ? {} : { lifetime: SHORT };
  }

  /**
   * @param {Entry} entry
   * @param {boolean} stays
   */
  async enter(entry, stays) {
    await this.connected();
    const reply = await this.ask(withWishes(entry, this.wire.features), (reply) => {
      if (reply.type !== 'login_ok') return;
      this.vault.stays = stays && this.vault.keeps;
      this.accept(reply);
    });
    if (reply.type === 'password_required') throw new Refusal(words.notRegistered(reply.username), 'unknown_user');
  }

  /**
   * @param {Command} command
   * @returns {Promise<any>}
   */
  async knock(command) {
    await this.connected();
    return this.ask(command);
  }

  /** @returns {Promise<void>} */
  connected() {
    if (this.wire.state === 'online') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.visitors.push((problem) => problem ? reject(problem) : resolve());
      this.wire.comesBack = true;
      this.wire.connect();
    });
  }

  /** @param {Refusal | null} problem */
  welcome(problem) {
    for (const visitor of this.visitors.splice(0)) visitor(problem);
  }

  /** @param {LoginOkReply} login */
  accept(login) {
    const isBack = this.phase === 'in';
    this.phase = 'in';
    this.isEntered = true;
    this.notice = '';
    if (this.account && this.account !== login.username) this.vault.empty(this.account, login.username); // it was renamed
    this.account = login.username;
    this.token = login.token ?? this.token;
    if (login.token) this.vault.keep(login.username, login.token);
    if (!isBack) this.motd = login.motd ?? '';
    this.wire.settle();
    this.begin(login, isBack);
    this.turn();
  }

  /** @param {string} notice why */
  goOut(notice) {
    const wasIn = this.phase === 'in';
    if (this.isLeaving) this.vault.forget(this.token);
    this.phase = 'out';
    this.token = this.account = '';
    this.notice = notice;
    this.isLeaving = false;
    this.next = null;
    this.wire.stop();
    if (wasIn) this.end();
    this.turn();
  }
}
