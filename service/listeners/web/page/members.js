/**
 * Who is in the room that is open, and what may be done to each of them.
 */
import { byId, dialog, fill, form, h, iconButton } from './dom.js';
import { moment } from './format.js';
import { labels } from './labels.js';
import { titleOf } from './rows.js';
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
    this.list = h('ul', { 'aria-label': labels.members });
    this.more = h('button', { type: 'button', onclick: () => this.load() }, labels.moreMembers);

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

  /** @param {string} target */
  open(target) {
    const conversation = this.app.session.store.get(target);
    if (
      conversation && !conversation.members && conversation.kind !== 'talk' && !conversation.isInvited &&
      !conversation.isLost
    ) {
      this.app.session.members(target).catch(() => {}); // the column stays empty; the room says what is wrong
    }
    this.update();
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
    const { store } = this.app.session;
    const all = this.rows();
    const conversation = store.get(this.app.target);
    const isMore = Boolean(conversation?.members?.more);
    const rows = all.slice(0, MOST);
    const sign = JSON.stringify([rows, all.length, isMore, store.me]);
    if (sign === this.sign) {
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
        onclick: () => this.person(name),
      },
      h('span', { class: `dot${online ? ' here' : ''}`, 'aria-hidden': 'true' }),
      h('span', { class: 'cut', dir: 'auto' }, oneLine(name)),
      marks.length > 0 && h('span', { class: 'rank' }, marks.join(', ')),
      h('span', { class: 'unseen' }, online ? labels.isHere : labels.isAway),
    );
  }

  /** A person, and what one may do with them here. @param {string} name */
  person(name) {
    const { session, target } = this.app;
    const { store } = session;
    const conversation = store.get(target);
    const member = this.rows().find((row) => row.name === name);
    const role = member?.role ?? 'member';
    const isInRoom = conversation && conversation.kind !== 'talk';
    const state = store.isOnline(name) ? labels.isHere : labels.isAway;
    const title = conversation ? titleOf(conversation, store.mainRoom) : '';
    const may = (/** @type {import("./rank.js").Deed} */ deed) =>
      isInRoom && name !== store.me && store.may(target, deed, role);
    const deeds = /** @type {(keyof typeof labels.deeds)[]} */ (
      [
        may('mute') && (member?.muted ? 'unmute' : 'mute'),
        member && may('kick') && 'kick',
        may('ban') && 'ban',
        ...(member && may('role') ? ['member', 'moderator', 'owner'].filter((one) => one !== role) : []),
      ].filter(Boolean)
    );
    const shown = dialog(
      oneLine(name),
      h(
        'p',
        { class: 'quiet' },
        [state, isInRoom && role !== 'member' && `${role} of ${title}`, member?.muted && labels.silenced].filter(
          Boolean,
        ).join(', '),
      ),
      name === store.me ? h('p', {}, labels.thatIsYou) : h('button', {
        type: 'button',
        class: 'main',
        onclick: () => {
          shown.close();
          this.app.perform(session.talkWith(name).then((found) => this.app.go(found)));
        },
      }, labels.writeTo(oneLine(name))),
      deeds.length > 0 &&
        h(
          'div',
          { class: 'ways down' },
          h('h3', { class: 'quiet' }, labels.here(title)),
          ...deeds.map((deed) =>
            h('button', {
              type: 'button',
              class: deed === 'kick' || deed === 'ban' ? 'grave' : undefined,
              onclick: () => {
                shown.close();
                this.moderate(target, name, deed);
              },
            }, labels.deeds[deed].label)
          ),
        ),
    );
  }

  /** @param {string} target @param {string} name @param {keyof typeof labels.deeds} deed */
  moderate(target, name, deed) {
    const { title, text, time, label } = labels.deeds[deed];
    const isRole = deed === 'member' || deed === 'moderator' || deed === 'owner';
    const asked = form(
      label,
      async (fields) => {
        const minutes = Number(fields.get('minutes'));
        const reason = String(fields.get('reason') ?? '').trim();
        await this.app.session.moderate(target, name, isRole ? 'role' : deed, {
          ...(isRole && { role: deed }),
          ...(reason && { reason }),
          ...(minutes && { minutes }),
        });
        shown.close();
        this.app.session.members(target).catch(() => {});
      },
      time &&
        h(
          'label',
          {},
          h('span', {}, labels.howLong),
          h('select', { name: 'minutes' }, ...labels.times.map(([value, words]) => h('option', { value }, words))),
        ),
      h('label', {}, h('span', {}, labels.reason), h('input', { name: 'reason', maxlength: '300' })),
    );
    const shown = dialog(`${title}: ${oneLine(name)}`, h('p', {}, text), asked);
  }
}

/** A row of who is banned. @param {{ name: string, by?: string, reason?: string, until?: string }} ban @param {Node} button */
export function banRow({ name, by, reason, until }, button) {
  const told = [by && labels.by(oneLine(by)), until && labels.until(moment(until)), reason && oneLine(reason)].filter(
    Boolean,
  ).join(', ');
  return h('li', {}, h('div', { class: 'grow' }, h('b', {}, oneLine(name)), h('p', { class: 'quiet' }, told)), button);
}
