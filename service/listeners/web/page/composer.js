/**
 * The box that one writes in: drafts, Enter, what is pasted, and why one may not write where one may not.
 */
import { byId, fill, h, icon } from './dom.js';
import { moment } from './format.js';
import { labels } from './labels.js';
import { titleOf } from './rows.js';
import { oneLine } from './text.js';
import { parseLine } from './typed.js';

/** @typedef {import("./main.js").App} App @typedef {import("./conversation.js").Conversation} Conversation */

const MANY = 4; // pasted lines that are asked about: more hide what stands before them in the box
const TOLD = 0.8; // part of the longest message from where on the box counts
const COMPOSING = 229; // the keyCode of a key that an input method takes, in browsers that do not say isComposing

export class Composer {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.target = '';
    this.sign = '';
    this.unmuting = 0;
    this.form = byId('composer');
    this.note = h('p', { class: 'note', role: 'status', id: 'note' });
    this.box = h('textarea', {
      id: 'text',
      rows: '1',
      enterkeyhint: 'send',
      'aria-describedby': 'note',
      oninput: () => this.onInput(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event),
      onpaste: (/** @type {ClipboardEvent} */ event) => this.onPaste(event),
    });
    // A press keeps the focus in the box, so that a phone's keyboard stays.
    const keep = (/** @type {Event} */ event) => event.preventDefault();
    this.button = h('button', {
      class: 'icon send',
      'aria-label': labels.send,
      title: labels.send,
      onpointerdown: keep,
    }, icon('send'));
    this.writing = h('div', { class: 'box' }, this.box, this.button);
    this.stopped = h('div', { class: 'stopped', id: 'stopped', hidden: true });
    this.form.append(this.note, this.writing, this.stopped);
    this.form.addEventListener('submit', (/** @type {Event} */ event) => {
      event.preventDefault();
      this.send();
    });
  }

  /** @param {string} target */
  open(target) {
    this.target = target;
    this.box.value = this.app.session.keep?.get(`draft ${target}`) ?? '';
    this.say('');
    this.update();
    this.grow();
  }

  /** Nobody is logged in any more: who comes next finds no draft. */
  forget() {
    this.target = this.box.value = '';
    this.say('');
  }

  focus() {
    this.writing.hidden || this.box.focus({ preventScroll: true });
  }

  update = () => {
    const { store } = this.app.session;
    const conversation = store.get(this.target);
    if (!conversation) {
      return;
    }
    const title = titleOf(conversation, store.mainRoom);
    const [reason, ...ways] = this.obstacle(conversation, title);
    const sign = `${title} ${reason} ${ways.length}`;
    if (sign === this.sign) {
      return;
    }
    this.sign = sign;
    this.box.placeholder = labels.write(title);
    this.box.setAttribute('aria-label', labels.write(title));
    this.writing.hidden = Boolean(reason);
    this.stopped.hidden = !reason;
    fill(this.stopped, reason, ways.length > 0 && h('div', { class: 'ways' }, ...ways));
  };

  /** Why one may not write here, with buttons for what helps. @param {Conversation} conversation @param {string} title @returns {any[]} */
  obstacle(conversation, title) {
    const { session } = this.app;
    const { target, kind, name, muted, isInvited, isLost, isGone, isPrivate } = conversation;
    const join = () =>
      h('button', { type: 'button', class: 'main', onclick: () => this.app.perform(session.join(name)) }, labels.join);
    if (isInvited) {
      return [labels.invitation(title), join()];
    }
    if (isLost && kind === 'talk') {
      return [labels.nobody(title)];
    }
    if (isLost) {
      return isPrivate || isGone ? [labels.lost(title)] : [labels.lost(title), join()];
    }
    if (muted && session.store.isMuted(conversation, new Date(session.serviceNow).toISOString())) {
      clearTimeout(this.unmuting); // one is enough, however often it is drawn
      if (muted.until) {
        const rest = Date.parse(muted.until) - session.serviceNow + 500;
        this.unmuting = window.setTimeout(this.update, Math.min(rest, 2 ** 31 - 1));
      }
      return [labels.muted(muted.until && moment(muted.until))];
    }
    return session.store.may(target, 'write') ? [''] : [labels.notAllowed];
  }

  onInput() {
    const { keep } = this.app.session;
    const text = this.box.value;
    text.trim() ? keep?.set(`draft ${this.target}`, text) : keep?.remove(`draft ${this.target}`);
    this.count();
    this.grow();
  }

  /** As high as its text, up to six lines. */
  grow() {
    const { box } = this;
    this.button.disabled = !box.value.trim();
    if (CSS.supports('field-sizing', 'content')) {
      return; // the style sheet does it
    }
    box.style.height = '0';
    box.style.height = `${box.scrollHeight}px`;
  }

  /** What is left, near the longest message. */
  count() {
    const most = this.app.session.hello?.max_message ?? Infinity;
    const left = most - [...this.box.value].length;
    this.say(left < 0 ? labels.over(-left) : left < most * (1 - TOLD) ? labels.left(left) : '', left < 0);
  }

  /** @param {string} text @param {boolean} [isWrong] */
  say(text, isWrong = false) {
    if (this.note.textContent !== text) {
      this.note.textContent = text;
    }
    this.note.classList.toggle('fail', isWrong);
  }

  send() {
    const line = parseLine(this.box.value);
    if ('error' in line) {
      this.say(line.error, true);
    } else if (line.text.trim()) {
      this.sendText(line.text, line.kind) && this.clear();
    }
  }

  /** @param {string} text @param {string} [kind] @returns {boolean} whether it is on its way */
  sendText(text, kind = '') {
    const refusal = this.app.session.say(this.target, text, kind);
    refusal ? this.say(refusal.text, true) : this.app.talk.wrote();
    return !refusal;
  }

  clear() {
    this.box.value = '';
    this.say('');
    this.onInput();
    const talk = this.app.session.store.get(this.target);
    if (
      talk?.kind === 'talk' && talk.name !== this.app.session.store.me && !this.app.session.store.isOnline(talk.name)
    ) {
      this.say(labels.away(oneLine(talk.name)));
    }
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.isComposing || event.keyCode === COMPOSING) {
      return; // this key belongs to the input method
    }
    if (event.key === 'Enter' && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.send();
    } else if (event.key === 'ArrowUp' && !this.box.value && !event.altKey) {
      event.preventDefault();
      this.app.talk.focusLast();
    }
  }

  /** Asks about many lines before they fill the box. @param {ClipboardEvent} event */
  onPaste(event) {
    const text = (event.clipboardData?.getData('text/plain') ?? '').replace(/\r\n?/g, '\n').replace(/\n+$/, '');
    const lines = text.split('\n').length;
    const most = this.app.session.hello?.max_message ?? Infinity;
    const isLong = [...text].length > most;
    if (lines < MANY && !isLong) {
      return;
    }
    event.preventDefault();
    this.app.dialogs.paste(text, isLong ? most : Infinity);
  }

  /** Puts a text where the cursor is. @param {string} text */
  put(text) {
    this.focus();
    this.box.setRangeText(text, this.box.selectionStart, this.box.selectionEnd, 'end');
    this.onInput();
  }
}
