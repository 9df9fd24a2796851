/**
 * The dialogs about oneself: the password, notifications, the keys, leaving.
 */
import { dialog, form, h } from './dom.js';
import { openKeys } from './keys.js';
import { labels } from './labels.js';
import { permission } from './notify.js';
import { oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

/** @param {App} app */
export function openAccount(app) {
  const { session } = app;
  const wrong = h('p', { class: 'fail', role: 'alert' });
  const mayNotify = permission();
  const tick = h('input', {
    type: 'checkbox',
    id: 'notify',
    checked: mayNotify === 'granted' && session.keep?.get('notify') === 'yes',
    disabled: mayNotify === 'none',
    onchange: async () => {
      const isAllowed = tick.checked && (await Notification.requestPermission()) === 'granted';
      wrong.textContent = tick.checked && !isAllowed ? labels.notifyNo : '';
      tick.checked = isAllowed;
      isAllowed ? session.keep?.set('notify', 'yes') : session.keep?.remove('notify');
    },
  });
  const way = (/** @type {string} */ label, /** @type {() => void} */ deed, isGrave = false) =>
    h('button', { type: 'button', class: isGrave && 'grave', onclick: () => (shown.close(), deed()) }, label);
  const { server = '', version = '' } = session.hello ?? {};
  const shown = dialog(
    oneLine(session.store.me),
    h('label', { class: 'tick' }, tick, h('span', {}, labels.notify)),
    mayNotify === 'none' && h('p', { class: 'quiet' }, labels.notifyInsecure),
    wrong,
    h(
      'div',
      { class: 'ways down' },
      way(labels.changePassword, () => changePassword(app)),
      way(labels.shortcuts, openKeys),
      way(labels.logOut, () => logOut(app), true),
    ),
    h('p', { class: 'quiet' }, labels.server(oneLine(server), oneLine(version))),
  );
}

/** @param {App} app */
function changePassword({ session, complain }) {
  const field = (/** @type {string} */ label, /** @type {string} */ name, /** @type {string} */ autocomplete) =>
    h('label', {}, h('span', {}, label), h('input', { type: 'password', name, autocomplete, required: true }));
  const asked = form(
    labels.changePassword,
    async (fields) => {
      if (fields.get('new') !== fields.get('again')) {
        throw new Error(labels.differ);
      }
      await session.changePassword(String(fields.get('old')), String(fields.get('new')));
      shown.close();
      complain(labels.changed);
    },
    h('input', { type: 'text', name: 'username', autocomplete: 'username', value: session.store.me, hidden: true }),
    field(labels.oldPassword, 'old', 'current-password'),
    field(labels.newPassword, 'new', 'new-password'),
    field(labels.again, 'again', 'new-password'),
  );
  const shown = dialog(labels.changePassword, asked);
}

/** @param {App} app */
function logOut({ session }) {
  const text = [session.waiting && labels.logOutWaits(session.waiting), labels.logOutText].filter(Boolean).join(' ');
  const asked = form(labels.logOut, async () => {
    await session.logout();
    shown.close();
  });
  const shown = dialog(labels.logOutTitle, h('p', {}, text), asked);
}
