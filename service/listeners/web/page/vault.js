/**
 * The token of a login, and what else is kept for its account in this browser. It decides where: nobody else does.
 *
 * "Stay logged in" is localStorage. Else it is sessionStorage, for this tab. Over http to another machine it is memory.
 * @module
 */

import { Memory } from './environment.js';

/** @typedef {import('./environment.js').Area} Area */
/** @typedef {import('./environment.js').Environment} Environment */
/** A token with its account's name. `stays`: over an end of the browser.
 * @typedef {{ name: string, token: string, stays: boolean }} Kept
 */

const TOKEN = 'chat:token';
export const SHORT = 12 * 3600; // seconds that a token lives which is for one tab: a working day

export class Vault {
  /** @param {Environment} environment */
  constructor(environment) {
    /** @private */
    this.memory = new Memory();
    /** @private */
    this.environment = environment;
    this.stays = false;
    /** @private */
    this.isFull = false; // the token could not be kept
  }

  /** Whether the browser keeps anything over a reload. */
  get keeps() {
    return this.environment.tab !== null && !this.isFull;
  }

  /** Where things of this login are kept. */
  get area() {
    const { local, tab } = this.environment;
    return (this.stays ? local : tab) ?? this.memory;
  }

  /**
   * The token that is kept: of this tab, or of the browser. `but` is one that is of no use.
   * @param {string} [but]
   * @returns {Kept | null}
   */
  find(but = '') {
    for (const stays of [false, true]) {
      const area = stays ? this.environment.local : this.environment.tab ?? this.memory;
      const kept = area && read(area);
      if (kept && kept.token !== but) {
        this.stays = stays;
        return { ...kept, stays };
      }
    }
    return null;
  }

  /**
   * @param {string} name
   * @param {string} token
   */
  keep(name, token) {
    this.isFull = !write(this.area, TOKEN, JSON.stringify({ name, token }));
  }

  /**
   * Forgets a token, unless another tab has put a newer one there.
   * @param {string} token
   */
  forget(token) {
    const { local, tab } = this.environment;
    for (const area of [this.memory, tab, local]) {
      if (area && read(area)?.token === token) area.removeItem(TOKEN);
    }
  }

  /**
   * What views keep for the account: drafts, and how the page is arranged. What the browser does not take is kept as long
   * as the page is.
   * @param {string} account
   */
  drawer(account) {
    const { area, memory } = this;
    const prefix = `chat:kept:${account}:`;
    return {
      get: (/** @type {string} */ key) => memory.getItem(prefix + key) ?? area.getItem(prefix + key),
      set: (/** @type {string} */ key, /** @type {string} */ value) => {
        memory.removeItem(prefix + key);
        write(area, prefix + key, value) || memory.setItem(prefix + key, value);
      },
      remove: (/** @type {string} */ key) => {
        memory.removeItem(prefix + key);
        area.removeItem(prefix + key);
      },
    };
  }

  /**
   * Forgets all that is kept of an account; or takes it along to its new name.
   * @param {string} account
   * @param {string} [to]
   */
  empty(account, to) {
    for (const area of new Set([this.area, this.memory])) {
      const keys = Array.from({ length: area.length }, (_, index) => area.key(index) ?? '');
      for (const prefix of ['chat:kept:', 'chat:outbox:']) {
        for (const key of keys.filter((key) => key.startsWith(`${prefix}${account}:`))) {
          const name = key.slice(prefix.length + account.length);
          if (to) write(area, prefix + to + name, area.getItem(key) ?? '');
          area.removeItem(key);
        }
      }
    }
  }
}

/**
 * Whether the area has it now: the storage may be full.
 * @param {Area} area
 * @param {string} key
 * @param {string} value
 */
function write(area, key, value) {
  try {
    area.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

/** @param {Area} area */
function read(area) {
  try {
    const { name, token } = JSON.parse(area.getItem(TOKEN) ?? '');
    return typeof name === 'string' && typeof token === 'string' ? { name, token } : null;
  } catch {
    return null;
  }
}
