/**
 * Who is in the conversation that is open. What may be done to them is in person.js.
 */
import { byId, fill, h, iconButton } from './dom.js';
import { labels } from './labels.js';
import { oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */
/** @typedef {{ name: string, role: string, online: boolean, muted?: boolean, muted_until?: string, voice?: boolean }} Member */

const MOST = 500; // rows; more are counted

export class Members {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId('members');
    this.sign = '';
    this.asked = '';
    this.list = h('ul', { 'aria-label': labels.members });
    this.more = h('button', { type: 'button', hidden: true, onclick: () => this.load() }, labels.moreMembers);

    this.root.append(
      h(
        'header',
        { class: 'bar' },
        h('h2', {}, labels.members),
        iconButton('close', labels.closeMembers, () => app.toggleMembers(), { id: 'close-members' }),
      ),
      h('div', { class: 'scroll' }, this.list, this.more),
    );
  }

  /** Asks once who is there, each time that the answer may have become another one: after a loss, too. */
  ask() {
    const { session, target } = this.app;
    const conversation = session.store.get(target);
    if (!conversation || conversation.kind === 'talk') {
      return;
    }
    const { isInvited, isLost } = conversation;
    const wish = `${target} ${isInvited} ${isLost} ${session.isCaughtUp}`;
    if (wish !== this.asked && session.isCaughtUp && !isInvited && !isLost) {
      session.members(target).catch(() => {}); // the column stays empty; the room says what is wrong
    }
    this.asked = wish;
  }

  load() {
    const { session, target } = this.app;
    const last = session.store.get(target)?.members?.rows.at(-1)?.name;
    last && this.app.perform(session.members(target, last));
  }

  /** @returns {Member[]} */
  rows() {
    const { store } = this.app.session;
    const conversation = store.get(this.app.target);
    if (!conversation) {
      return [];
    }
    const role = 'member';
    if (conversation.kind === 'talk') {
      return [...new Set([conversation.name, store.me])].map((name) => ({ name, role, online: store.isOnline(name) }));
    }
    const rows = (conversation.members?.rows ?? []).map((row) => ({ ...row, online: store.isOnline(row.name) }));
    if (conversation.kind === 'main') {
      const known = new Set(rows.map(({ name }) => name));
      rows.push(...[...store.online].filter((name) => !known.has(name)).map((name) => ({ name, role, online: true })));
    }
    const compare = (/** @type {string} */ a, /** @type {string} */ b) => (a < b ? -1 : a > b ? 1 : 0);
    return rows.sort((a, b) => Number(b.online) - Number(a.online) || compare(a.name, b.name));
  }

  update = () => {
    this.ask();
    const { store } = this.app.session;
    const all = this.rows();
    const conversation = store.get(this.app.target);
    const isMore = Boolean(conversation?.members?.more);
    const rows = all.slice(0, MOST);
    const sign = JSON.stringify([rows, all.length, isMore, store.me]);
    if (sign === this.sign || this.app.hold.has(this.list, this.update)) {
      return;
    }
    this.sign = sign;
    this.more.hidden = !isMore;
    const focused = document.activeElement?.getAttribute('data-name');
    fill(this.list, ...rows.map((row) => h('li', {}, this.row(row))));
    focused && this.list.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };

  /** @param {Member} member */
  row({ name, role, online, muted }) {
    const marks = [
      role !== 'member' && role,
      muted && labels.silenced,
      name === this.app.session.store.me && labels.you,
    ].filter(Boolean);
    return h(
      'button',
      {
        type: 'button',
        class: `person${online ? '' : ' away'}`,
        'data-name': name,
        title: oneLine(name),
        onclick: () => this.app.dialogs.person(name),
      },
      h('span', { class: `dot${online ? ' here' : ''}`, 'aria-hidden': 'true' }),
      h('span', { class: 'cut', dir: 'auto' }, oneLine(name)),
      marks.length > 0 && h('span', { class: 'rank' }, marks.join(', ')),
      h('span', { class: 'unseen' }, online ? labels.isHere : labels.isAway),
    );
  }
}
