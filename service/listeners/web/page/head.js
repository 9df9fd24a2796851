/**
 * The head of the talk: where one is, what it is about, who is there, and the state of the connection when it is not well.
 */
import { byId, fill, h, icon, iconButton } from './dom.js';
import { few } from './format.js';
import { labels } from './labels.js';
import { titleOf } from './rows.js';
import { oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

const PATIENCE = 1000; // ms without a connection that nobody is told of: most are that short

export class Head {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId('head');
    this.sign = '';
    this.lostAt = 0;
    this.dismissed = '';
  }

  update = () => {
    const { session, target } = this.app;
    const conversation = session.store.get(target);
    if (!conversation) {
      return;
    }
    const title = titleOf(conversation, session.store.mainRoom);
    const { kind, name } = conversation;
    const people = kind === 'talk' ? '' : kind === 'main' ? session.store.online.size : conversation.memberCount;
    const presence = kind === 'talk' ? (session.store.isOnline(name) ? labels.isHere : labels.isAway) : '';
    const state = this.state();
    const topic = state || presence || oneLine(conversation.topic);
    const sign = JSON.stringify([target, title, people, topic, state, session.link, this.app.isPhone()]);
    this.warn();
    if (sign === this.sign || this.app.hold.has(this.root, this.update)) {
      return;
    }
    this.sign = sign;
    const count = kind === 'main' ? labels.online(Number(people)) : labels.people(Number(people));
    const hadFocus = this.root.contains(document.activeElement) ? document.activeElement?.id : '';
    fill(
      this.root,
      iconButton('back', labels.back, () => this.app.back(), { id: 'back' }),
      h(
        'div',
        { class: 'place' },
        h('h2', { class: 'cut', id: 'title', dir: 'auto' }, title),
        h(
          'div',
          { class: `topic${state ? ' state' : ''}`, title: topic },
          h('span', { class: 'cut', dir: 'auto', id: 'topic', role: state && 'status' }, topic),
          state && session.link === 'waiting' &&
            h('button', { type: 'button', class: 'link', id: 'try', onclick: () => session.retryNow() }, labels.tryNow),
        ),
      ),
      kind !== 'talk' && !(state && this.app.isPhone()) &&
        h(
          'button',
          {
            type: 'button',
            class: 'bare people',
            id: 'people',
            title: labels.showMembers,
            'aria-label': `${count}. ${labels.showMembers}`,
            onclick: () => this.app.toggleMembers(),
          },
          icon('people'),
          few(Number(people)),
        ),
      iconButton('search', labels.search, () => this.app.dialogs.search(), { id: 'search' }),
      kind !== 'talk' && !(state && this.app.isPhone()) &&
        iconButton('dots', labels.details, () => this.app.dialogs.room(target), { id: 'details' }),
    );
    hadFocus && byId(hadFocus)?.focus();
  };

  /** What is not well with the connection, in words. */
  state() {
    const { session } = this.app;
    if (session.link === 'online' && session.isCaughtUp) {
      this.lostAt = 0;
      return '';
    }
    const now = performance.now();
    this.lostAt ||= now;
    if (now - this.lostAt < PATIENCE && !session.waiting) {
      setTimeout(this.update, PATIENCE);
      return '';
    }
    return [labels.reconnecting, session.waiting && labels.waits(session.waiting)].filter(Boolean).join(', ');
  }

  /** What the operator says, and what the browser does not keep: until it is put away. */
  warn() {
    const { session } = this.app;
    const text = [session.memoryNote, oneLine(session.motd)].filter(Boolean).join(' ');
    const notice = byId('notice');
    const isHidden = !text || text === this.dismissed || text === session.keep?.get('notice');
    if (isHidden || notice.textContent !== text + labels.hide) {
      notice.hidden = isHidden;
      fill(
        notice,
        h('span', {}, text),
        h('button', {
          type: 'button',
          class: 'link',
          onclick: () => {
            this.dismissed = text;
            session.keep?.set('notice', text);
            notice.hidden = true;
          },
        }, labels.hide),
      );
    }
  }
}
