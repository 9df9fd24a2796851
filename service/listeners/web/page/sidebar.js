/**
 * The list of conversations with what is unread in each, and who one is.
 */
import { byId, fill, h, icon, iconButton, soon } from './dom.js';
import { few } from './format.js';
import { labels } from './labels.js';
import { write } from './route.js';
import { titleOf } from './rows.js';
import { oneLine } from './text.js';

/** @typedef {import("./main.js").App} App @typedef {import("./conversation.js").Conversation} Conversation */

const HALF = 18; // px of a row that is in sight

export class Sidebar {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.list = byId('conversations');
    this.signs = '';
    this.below = h('button', { type: 'button', id: 'below', hidden: true, onclick: () => this.showNext() });
    this.list.after(this.below);
    this.list.addEventListener('scroll', () => soon(this.count), { passive: true });
    new ResizeObserver(() => this.count()).observe(this.list);
  }

  update = () => {
    const { session, target } = this.app;
    const { store } = session;
    byId('server').textContent = oneLine(session.hello?.server ?? '') || 'Chat';
    const all = store.conversations();
    const rooms = all.filter(({ kind }) => kind === 'room');
    const talks = all.filter(({ kind }) => kind === 'talk');
    const entries = all.map((conversation) => this.entry(conversation, target));
    // Drawn anew only where something differs, so that the focus and a finger on a row stay.
    const signs = JSON.stringify([store.me, ...entries.map(({ sign }) => sign)]);
    if (signs === this.signs || this.app.hold.has(byId('side'), this.update)) {
      return;
    }
    this.signs = signs;
    const focused = document.activeElement?.getAttribute('href');
    const draw = (/** @type {Conversation} */ conversation) => entries[all.indexOf(conversation)].make();
    const section = (
      /** @type {string} */ title,
      /** @type {Conversation[]} */ list,
      /** @type {Node} */ add,
      /** @type {string} */ none,
    ) => [
      h(
        'div',
        { class: 'group' },
        h('h2', { class: 'group-title', id: `group-${add === plus ? 'rooms' : 'talks'}` }, title),
        add,
      ),
      list.length
        ? h('ul', { 'aria-label': title }, ...list.map((one) => h('li', {}, draw(one))))
        : h('p', { class: 'none' }, none),
    ];
    const plus = iconButton('plus', labels.joinRoom, () => this.app.dialogs.rooms());
    const pen = iconButton('plus', labels.newTalk, () => this.app.dialogs.talk());
    const main = all.filter(({ kind }) => kind === 'main');
    fill(
      this.list,
      h('ul', { 'aria-label': labels.main }, ...main.map((one) => h('li', {}, draw(one)))),
      ...(session.hello && !session.hello.features?.includes('rooms')
        ? []
        : section(labels.rooms, rooms, plus, labels.noRooms)),
      ...section(labels.talks, talks, pen, labels.noTalks),
    );
    this.list.querySelector(`[href="${CSS.escape(focused ?? '')}"]`)?.focus({ preventScroll: true });
    soon(this.count);
    fill(
      byId('account'),
      h(
        'button',
        { type: 'button', class: 'bare', id: 'me', title: labels.account, onclick: () => this.app.dialogs.account() },
        icon('user'),
        h('span', { class: 'cut' }, oneLine(store.me)),
        h('span', { class: 'unseen' }, labels.account),
      ),
    );
  };

  /** What is unread further down than one sees. @returns {HTMLElement[]} */
  unseen() {
    const end = this.list.getBoundingClientRect().bottom;
    return [...this.list.querySelectorAll('.unread')].filter((row) => row.getBoundingClientRect().top > end - HALF);
  }

  count = () => {
    const count = this.unseen().length;
    this.below.hidden = !count;
    this.below.textContent = labels.below(count);
  };

  showNext() {
    this.unseen()[0]?.scrollIntoView({ block: 'center' });
  }

  /** @param {Conversation} conversation @param {string} open */
  entry(conversation, open) {
    const { session } = this.app;
    const { target, kind, name, unread, mentions, isPrivate, isInvited, isLost } = conversation;
    const isOpen = target === open;
    const isHere = kind === 'talk' && session.store.isOnline(name);
    const hasDraft = !isOpen && Boolean(session.keep?.get(`draft ${target}`));
    const title = titleOf(conversation, session.store.mainRoom);
    const calls = mentions > 0;
    const sign = [target, unread, mentions, isPrivate, isInvited, isLost, isOpen, isHere, hasDraft, title];
    const mark = () => {
      if (kind === 'talk') {
        return h('span', { class: `dot${isHere ? ' here' : ''}`, title: isHere ? labels.isHere : labels.isAway });
      }
      return isPrivate ? icon('lock') : '#';
    };
    const make = () =>
      h(
        'a',
        {
          href: write(target),
          class: `conversation${unread ? ' unread' : ''}${isLost ? ' muted' : ''}`,
          'aria-current': isOpen && 'page',
          title: kind === 'talk' ? title : undefined,
        },
        h('span', { class: 'mark', 'aria-hidden': 'true' }, mark()),
        h('span', { class: 'cut', dir: 'auto' }, kind === 'talk' ? title : title.slice(1)),
        kind === 'talk' && h('span', { class: 'unseen' }, isHere ? labels.isHere : labels.isAway),
        hasDraft && h('span', { class: 'draft' }, labels.draft),
        isInvited && h('span', { class: 'count' }, labels.invited),
        unread > 0 &&
          h(
            'span',
            {
              class: `count${calls ? ' calls' : ''}`,
              title: calls && kind !== 'talk' ? labels.calls(mentions) : labels.unread(unread),
            },
            `${calls && kind !== 'talk' ? '@' : ''}${few(unread)}`,
            h('span', { class: 'unseen' }, ' unread'),
          ),
      );
    return { sign, make };
  }
}
