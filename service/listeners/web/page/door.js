/**
 * The door: what this is, and a login or a registration, one field at a time as the wire asks.
 */
import { form } from './dialog.js';
import { byId, fill, h } from './dom.js';
import { prompts } from './prompts.js';
import { oneLine } from './text.js';

/** @typedef {import("./session.js").Session} Session */

export class Door {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.root = byId('door');
    this.card = h('div', { class: 'card' });
    this.root.append(this.card);
    this.name = '';
    this.isShown = false;
  }

  show() {
    if (!this.isShown) {
      this.isShown = true;
      this.root.hidden = false;
      this.askName();
    }
    this.update();
  }

  hide() {
    this.isShown = false;
    this.root.hidden = true;
    fill(this.card);
  }

  /** The server says who it is a moment after the page is there. */
  update() {
    const { session } = this;
    const title = this.card.querySelector('h1');
    if (title) {
      title.textContent = oneLine(session.hello?.server ?? '') || 'Chat';
    }
    const note = this.card.querySelector('.told');
    if (note) {
      const contact = oneLine(session.hello?.contact ?? '');
      const lines = [
        session.hello?.registration === 'closed' && prompts.closed,
        contact && prompts.runs(contact),
        session.memoryNote,
      ];
      note.textContent = lines.filter(Boolean).join(' ');
    }
  }

  askName() {
    const { session } = this;
    const asked = form(
      prompts.onward,
      async (fields) => {
        const { username, registered } = await session.askName(String(fields.get('username')).trim());
        this.name = username;
        registered ? this.askPassword() : this.askNew();
      },
      h(
        'label',
        {},
        h('span', {}, prompts.name),
        h('input', {
          name: 'username',
          autocomplete: 'username',
          autocapitalize: 'off',
          spellcheck: 'false',
          required: true,
          maxlength: '64',
          value: this.name,
          enterkeyhint: 'next',
        }),
      ),
    );
    this.ask(
      h('img', { src: '/icon.svg', alt: '', width: '44', height: '44' }),
      h('h1', {}, 'Chat'),
      session.notice
        ? h('p', { role: 'status', class: 'notice' }, session.notice)
        : h('p', { class: 'quiet' }, prompts.what),
      asked,
      h('p', { class: 'quiet told' }),
    );
    this.update();
  }

  askPassword() {
    const asked = form(
      prompts.logIn,
      async (fields) => {
        await this.session.login(this.name, String(fields.get('password')), fields.has('stays'));
      },
      this.account(),
      h(
        'label',
        {},
        h('span', {}, prompts.password),
        h('input', {
          type: 'password',
          name: 'password',
          autocomplete: 'current-password',
          required: true,
          enterkeyhint: 'go',
        }),
      ),
      this.stays(),
    );
    this.ask(h('h1', {}, 'Chat'), this.who(prompts.known), asked);
    this.update();
  }

  askNew() {
    const field = (/** @type {string} */ label, /** @type {string} */ name) =>
      h(
        'label',
        {},
        h('span', {}, label),
        h('input', { type: 'password', name, autocomplete: 'new-password', required: true }),
      );
    const asked = form(
      prompts.register,
      async (fields) => {
        if (fields.get('password') !== fields.get('again')) {
          throw new Error(prompts.differ);
        }
        await this.session.register(this.name, String(fields.get('password')), fields.has('stays'));
      },
      this.account(),
      field(prompts.newPassword, 'password'),
      field(prompts.again, 'again'),
      this.stays(),
    );
    this.ask(h('h1', {}, 'Chat'), this.who(prompts.isNew), asked);
    this.update();
  }

  /** For the browser's keeper of passwords. */
  account() {
    return h('input', { type: 'text', name: 'username', autocomplete: 'username', value: this.name, hidden: true });
  }

  /** @param {string} what */
  who(what) {
    const other = h('button', { type: 'button', class: 'link', onclick: () => this.askName() }, prompts.otherName);
    return h('p', {}, h('b', { dir: 'auto', class: 'asked' }, oneLine(this.name)), ` ${what} `, other);
  }

  stays() {
    return !this.session.memoryNote &&
      h('label', { class: 'tick' }, h('input', { type: 'checkbox', name: 'stays' }), h('span', {}, prompts.stays));
  }

  /** @param {...import("./dom.js").Child} children */
  ask(...children) {
    fill(this.card, ...children);
    this.card.querySelector('input:not([hidden])')?.focus();
  }
}
