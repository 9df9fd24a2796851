/**
 * The dialogs about one person: who it is, and what one may do to them here.
 */
import { dialog, form } from './dialog.js';
import { h } from './dom.js';
import { moment } from './format.js';
import { labels } from './labels.js';
import { prompts } from './prompts.js';
import { titleOf } from './rows.js';
import { oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

/** A person, and what one may do with them here. @param {App} app @param {string} name */
export function openPerson(app, name) {
  const { session, target } = app;
  const { store } = session;
  const conversation = store.get(target);
  const member = app.members?.rows().find((row) => row.name === name);
  const role = member?.role ?? 'member';
  const isInRoom = conversation && conversation.kind !== 'talk';
  const state = store.isOnline(name) ? labels.isHere : labels.isAway;
  const title = conversation ? titleOf(conversation, store.mainRoom) : '';
  const may = (/** @type {import("./rank.js").Deed} */ deed) =>
    isInRoom && name !== store.me && store.may(target, deed, role);
  const deeds = /** @type {(keyof typeof prompts.deeds)[]} */ (
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
    name === store.me ? h('p', {}, prompts.thatIsYou) : h('button', {
      type: 'button',
      class: 'main',
      onclick: () => {
        shown.close();
        app.perform(session.talkWith(name).then((found) => app.go(found)));
      },
    }, prompts.writeTo(oneLine(name))),
    deeds.length > 0 &&
      h(
        'div',
        { class: 'ways down' },
        h('h3', { class: 'quiet' }, prompts.here(title)),
        ...deeds.map((deed) =>
          h('button', {
            type: 'button',
            class: deed === 'kick' || deed === 'ban' ? 'grave' : undefined,
            onclick: () => {
              shown.close();
              moderate(app, target, name, deed);
            },
          }, prompts.deeds[deed].label)
        ),
      ),
  );
}

/** @param {App} app @param {string} target @param {string} name @param {keyof typeof prompts.deeds} deed */
function moderate(app, target, name, deed) {
  const { title, text, time, label } = prompts.deeds[deed];
  const isRole = deed === 'member' || deed === 'moderator' || deed === 'owner';
  const asked = form(
    label,
    async (fields) => {
      const minutes = Number(fields.get('minutes'));
      const reason = String(fields.get('reason') ?? '').trim();
      await app.session.moderate(target, name, isRole ? 'role' : deed, {
        ...(isRole && { role: deed }),
        ...(reason && { reason }),
        ...(minutes && { minutes }),
      });
      shown.close();
      app.session.members(target).catch(() => {});
    },
    time &&
      h(
        'label',
        {},
        h('span', {}, prompts.howLong),
        h('select', { name: 'minutes' }, ...prompts.times.map(([value, words]) => h('option', { value }, words))),
      ),
    h('label', {}, h('span', {}, prompts.reason), h('input', { name: 'reason', maxlength: '300' })),
  );
  const shown = dialog(`${title}: ${oneLine(name)}`, h('p', {}, text), asked);
}

/** A row of who is banned. @param {{ name: string, by?: string, reason?: string, until?: string }} ban @param {Node} button */
export function banRow({ name, by, reason, until }, button) {
  const told = [by && prompts.by(oneLine(by)), until && prompts.until(moment(until)), reason && oneLine(reason)].filter(
    Boolean,
  ).join(', ');
  return h('li', {}, h('div', { class: 'grow' }, h('b', {}, oneLine(name)), h('p', { class: 'quiet' }, told)), button);
}
