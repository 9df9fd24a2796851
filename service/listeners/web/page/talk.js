/**
 * The talk that is open: where the reader is in it, the unread divider, the button to the newest, what is loaded next.
 */
import { byId, h, icon, iconButton, soon } from './dom.js';
import { labels } from './labels.js';
import { List } from './list.js';
import { Entries } from './rows.js';
import { excerpt, oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

const PATIENCE = 300; // ms of loading that nobody is told of
const FEW = 50; // messages: less than a page
const SPOKEN = 20; // messages in the log that a screen reader reads
const SPOKEN_TEXT = 300; // characters of each

export class Talk {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.scroller = byId('scroll');
    this.jump = byId('jump');
    this.spoken = byId('spoken');
    this.target = '';
    /** @type {Entries | null} */
    this.entries = null;
    this.below = 0; // messages that came while the reader was further up
    this.isLoading = false;
    this.isLooking = false;
    this.isSettling = false;
    this.isOpening = false;
    this.wanted = 0; // the id of the message to show
    /** @type {HTMLElement | null} the row that the pointer, a finger or the focus is on */
    this.chosen = null;
    this.isStale = true; // nobody has looked since: the next message begins what is unread
    /** @type {Map<string, string>} where one was in each conversation: the key of a row */
    this.places = new Map();
    this.list = new List(this.scroller, byId('list'), {
      top: () => this.load('older'),
      bottom: () => this.load('newer'),
      moved: () => this.moved(),
    });
    this.tools = h('div', { id: 'tools' }, iconButton('trash', labels.remove, () => this.remove()));
    this.jump.addEventListener('click', () => this.toNewest());
    byId('list').addEventListener('click', (/** @type {MouseEvent} */ event) => this.onClick(event));
    byId('list').addEventListener('pointerover', (/** @type {PointerEvent} */ event) => {
      event.pointerType === 'mouse' && this.choose(rowOf(event.target));
    });
    byId('list').addEventListener('focusin', (/** @type {Event} */ event) => this.choose(rowOf(event.target)));
    this.scroller.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => this.onKey(event));
    for (const name of ['focus', 'blur', 'visibilitychange', 'pageshow']) {
      addEventListener(name, () => this.look(), true);
    }
  }

  /** Turns to a conversation, at a message of it or where the reader was. @param {string} target @param {number} [id] */
  async open(target, id = 0) {
    if (target !== this.target || id) {
      this.leave();
    }
    this.target = target;
    this.wanted = id;
    const opened = this.patiently(this.app.session.open(target)).catch(this.app.complain);
    const conversation = this.app.session.store.get(target);
    if (conversation && conversation.messages.length < FEW && conversation.isGap(0)) {
      // The rest is there in a moment: shown at once, not after one another.
      this.isOpening = true;
      await Promise.race([opened, new Promise((done) => setTimeout(done, PATIENCE))]);
      this.isOpening = false;
    }
    await this.settle();
    await opened;
    await this.settle();
  }

  /** Shows the conversation as soon as there is something to show. @returns {Promise<void>} */
  async settle() {
    const { target, wanted: id } = this;
    const { session } = this.app;
    const conversation = session.store.get(target);
    if (this.entries || !conversation || this.isSettling) {
      return;
    }
    if (id && session.isCaughtUp) {
      this.isSettling = true;
      const isThere = await this.patiently(session.around(target, id)).catch(this.app.complain);
      this.isSettling = false;
      if (target !== this.target || id !== this.wanted) {
        return this.settle();
      }
      isThere || this.app.complain(labels.lostMessage);
      this.show(isThere ? id : 0);
    } else if (!id && (conversation.messages.length || session.isCaughtUp)) {
      this.show();
    }
  }

  leave() {
    const first = this.list.isAtEnd || !this.entries ? null : this.list.anchor(new Set(this.list.drawn.keys()));
    this.target &&
      (first?.key.startsWith('m') ? this.places.set(this.target, first.key) : this.places.delete(this.target));
    this.entries = null;
    this.below = 0;
    this.list.source = null;
    byId('list').replaceChildren();
  }

  /** Nobody is logged in any more: who comes next finds nothing of it. */
  forget() {
    this.places.clear();
    this.spoken.replaceChildren();
  }

  /** @param {number} [id] */
  show(id = 0) {
    const { store } = this.app.session;
    const conversation = store.get(this.target);
    if (!conversation) {
      return;
    }
    const divider = { after: conversation.readId, count: conversation.unread };
    this.wanted = 0;
    this.isStale = false;
    const entries = new Entries(store, conversation);
    entries.divider = divider;
    entries.found = id;
    entries.isOnline = this.app.session.link === 'online';
    entries.isJoined = this.app.session.isCaughtUp;
    entries.ways = () => this.app.ways(this.target);
    this.entries = entries;
    const unread = divider.count
      ? conversation.messages.find((message) => message.id > divider.after && !message.own)
      : null;
    this.list.open(entries, id ? `m${id}` : unread ? '' : this.places.get(this.target));
    if (unread && !this.list.isInSight('divider')) {
      this.list.open(entries, `m${unread.id}`);
    }
    this.below = 0;
    this.moved();
    soon(this.list.onScroll); // what is there may not fill the screen
  }

  /** What is shown may have changed. */
  update = () => {
    if (!this.entries) {
      this.isOpening || this.settle();
      return;
    }
    const conversation = this.app.session.store.get(this.target);
    if (conversation) {
      this.entries.conversation = conversation;
      this.entries.isOnline = this.app.session.link === 'online';
      this.entries.isJoined = this.app.session.isCaughtUp;
      this.list.update();
    }
  };

  /** @param {import("./store.js").Message[]} messages at the end of the open conversation @param {boolean} isLive */
  arrive(messages, isLive) {
    const others = messages.filter((message) => !message.own);
    if (this.entries && others.length && (!this.isLooking || this.entries.divider.count)) {
      const { divider } = this.entries;
      if (this.isStale) {
        this.entries.divider = { after: messages[0].id - 1, count: others.length };
        this.isStale = false;
      } else if (divider.count && !this.isLooking) {
        divider.count += others.length;
      }
    }
    if (!this.list.isAtEnd) {
      this.below += others.length;
    }
    if (isLive) {
      for (const { from, text, deleted } of others) {
        deleted || this.spoken.append(h('p', {}, labels.says(oneLine(from), excerpt(text, SPOKEN_TEXT))));
      }
      while (this.spoken.childElementCount > SPOKEN) {
        this.spoken.firstChild.remove();
      }
    }
    soon(this.update);
  }

  /** The user has written: what was unread is read. */
  wrote() {
    if (this.entries) {
      this.entries.divider = { after: 0, count: 0 };
      this.toNewest();
    }
  }

  async toNewest() {
    const target = this.target;
    if (!this.app.session.store.get(target)?.hasNewest) {
      await this.patiently(this.app.session.newest(target)).catch(this.app.complain);
    }
    if (target === this.target) {
      this.list.toEnd();
      this.moved();
    }
  }

  /** @param {"older" | "newer"} way @param {number} [index] of the message behind a gap */
  async load(way, index) {
    const conversation = this.app.session.store.get(this.target);
    const messages = conversation?.messages ?? [];
    const at = index ?? (way === 'older' ? 0 : messages.length);
    if (this.isLoading || !messages.length || !conversation?.isGap(at) || !this.app.session.isCaughtUp) {
      return;
    }
    this.isLoading = true;
    const { session } = this.app;
    const wanted = way === 'older'
      ? session.older(this.target, messages[at].id)
      : session.newer(this.target, messages[at - 1].id);
    const count = await this.patiently(wanted).catch(this.app.complain);
    this.isLoading = false;
    count && soon(this.list.onScroll); // it may not fill the screen
  }

  /** Says that something is being loaded if it takes long. @template T @param {Promise<T>} wanted @returns {Promise<T>} */
  async patiently(wanted) {
    const timer = setTimeout(() => (byId('above').hidden = false), PATIENCE);
    try {
      return await wanted;
    } finally {
      clearTimeout(timer);
      byId('above').hidden = true;
    }
  }

  moved() {
    const { list, scroller } = this;
    if (list.isAtEnd) {
      this.below = 0;
    }
    const isFar = !list.isAtEnd &&
      (!list.hadNewest || scroller.scrollHeight - scroller.scrollTop > 2.5 * scroller.clientHeight);
    this.jump.hidden = !this.below && !isFar;
    const text = this.below ? labels.fresh(this.below) : labels.jump;
    if (!this.jump.hidden && this.jump.textContent !== text) {
      this.jump.replaceChildren(text, icon('down'));
    }
    this.jump.classList.toggle('new', this.below > 0);
    const gap = this.scroller.querySelector('.gap');
    if (gap && gap.getBoundingClientRect().bottom > 0 && gap.getBoundingClientRect().top < innerHeight) {
      this.fillGap(gap);
    }
    this.look();
  }

  /** @param {HTMLElement} gap */
  fillGap(gap) {
    const messages = this.app.session.store.get(this.target)?.messages ?? [];
    const index = messages.findIndex(({ id }) => id === Number(gap.dataset.id));
    index > 0 && this.load('older', index);
  }

  /** Tells the session whether somebody looks: only then is something seen. */
  look() {
    const isVisible = !document.hidden && this.scroller.clientHeight > 0;
    const isFocused = document.hasFocus();
    const wasLooking = this.isLooking;
    this.isLooking = isVisible && isFocused;
    if (wasLooking && !this.isLooking) {
      this.isStale = true;
    }
    const isAtEnd = this.list.isAtEnd && Boolean(this.entries);
    this.app.session.look({
      isVisible,
      isFocused,
      isAtEnd,
      at: isAtEnd ? Infinity : Number(this.list.first.slice(1)) || 0,
    });
  }

  // -- what can be done with a message --------------------------------------------------------------------------------
  /** @param {HTMLElement | null} row */
  choose(row) {
    if (row === this.chosen) {
      return;
    }
    this.tools.remove();
    this.chosen = row;
    if (row && this.mayDelete(row)) {
      row.append(this.tools);
    }
  }

  /** @param {HTMLElement} row */
  messageOf(row) {
    return this.app.session.store.get(this.target)?.messages.find(({ id }) => id === Number(row.dataset.id));
  }

  /** @param {HTMLElement} row */
  mayDelete(row) {
    const message = this.messageOf(row);
    return Boolean(message && !message.deleted && this.app.session.store.mayDelete(this.target, message));
  }

  remove() {
    const row = this.chosen;
    const message = row && this.messageOf(row);
    if (message && this.mayDelete(row)) {
      this.app.dialogs.remove(message.id);
    }
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const row = rowOf(target);
    const name = target.closest('[data-name]')?.getAttribute('data-name');
    const deed = target.closest('[data-deed]')?.getAttribute('data-deed');
    const { session } = this.app;
    if (name) {
      this.app.dialogs.person(name);
    } else if (deed === 'gap') {
      this.fillGap(/** @type {HTMLElement} */ (target.closest('.gap')));
    } else if (deed === 'all' && row) {
      this.entries?.whole.add(row.dataset.key ?? '');
      this.list.isAtEnd = false; // what was hidden is read from its top
      this.update();
    } else if (deed && row?.dataset.nonce) {
      deed === 'again' ? session.again(row.dataset.nonce) : session.discard(row.dataset.nonce);
    } else if (!target.closest('a, button')) {
      this.choose(row);
    }
  }

  /** Turns from row to row. @param {KeyboardEvent} event */
  onKey(event) {
    const row = rowOf(event.target);
    const step = event.key === 'ArrowUp'
      ? 'previousElementSibling'
      : event.key === 'ArrowDown'
      ? 'nextElementSibling'
      : '';
    if (row && step) {
      let next = /** @type {HTMLElement | null} */ (row[step]);
      while (next && !next.matches('.message')) {
        next = /** @type {HTMLElement | null} */ (next[step]);
      }
      event.preventDefault();
      next ? next.focus() : step === 'nextElementSibling' && byId('composer').querySelector('textarea')?.focus();
    } else if (row && event.key === 'Delete') {
      this.remove();
    }
  }

  /** Gives the last message the focus. */
  focusLast() {
    const rows = this.scroller.querySelectorAll('.message');
    rows[rows.length - 1]?.focus();
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function rowOf(target) {
  return target instanceof Element ? target.closest('.message') : null;
}
