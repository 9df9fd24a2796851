/**
 * The dialogs about oneself: the password, notifications, the keys, leaving.
 */
import { dialog, form } from './dialog.js';
import { h } from './dom.js';
import { prompts } from './prompts.js';
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
      wrong.textContent = tick.checked && !isAllowed ? prompts.notifyNo : '';
      tick.checked = isAllowed;
      isAllowed ? session.keep?.set('notify', 'yes') : session.keep?.remove('notify');
    },
  });
  const way = (/** @type {string} */ label, /** @type {() => void} */ deed, isGrave = false) =>
    h('button', { type: 'button', class: isGrave && 'grave', onclick: () => (shown.close(), deed()) }, label);
  const { server = '', version = '' } = session.hello ?? {};
  const shown = dialog(
    oneLine(session.store.me),
    h('label', { class: 'tick' }, tick, h('span', {}, prompts.notify)),
    mayNotify === 'none' && h('p', { class: 'quiet' }, prompts.notifyInsecure),
    wrong,
    h(
      'div',
      { class: 'ways down' },
      way(prompts.changePassword, () => changePassword(app)),
      way(prompts.shortcuts, () => app.dialogs.shortcuts()),
      way(prompts.logOut, () => logOut(app), true),
    ),
    h('p', { class: 'quiet' }, prompts.server(oneLine(server), oneLine(version))),
  );
}

/** @param {App} app */
function changePassword({ session, complain }) {
  const field = (/** @type {string} */ label, /** @type {string} */ name, /** @type {string} */ autocomplete) =>
    h('label', {}, h('span', {}, label), h('input', { type: 'password', name, autocomplete, required: true }));
  const asked = form(
    prompts.changePassword,
    async (fields) => {
      if (fields.get('new') !== fields.get('again')) {
        throw new Error(prompts.differ);
      }
      await session.changePassword(String(fields.get('old')), String(fields.get('new')));
      shown.close();
      complain(prompts.changed);
    },
    h('input', { type: 'text', name: 'username', autocomplete: 'username', value: session.store.me, hidden: true }),
    field(prompts.oldPassword, 'old', 'current-password'),
    field(prompts.newPassword, 'new', 'new-password'),
    field(prompts.again, 'again', 'new-password'),
  );
  const shown = dialog(prompts.changePassword, asked);
}

/** @param {App} app */
function logOut({ session }) {
  const text = [session.waiting && prompts.logOutWaits(session.waiting), prompts.logOutText].filter(Boolean).join(' ');
  const asked = form(prompts.logOut, async () => {
    await session.logout();
    history.replaceState(null, '', '#'); // who logs in next begins where they want
    shown.close();
  });
  const shown = dialog(prompts.logOutTitle, h('p', {}, text), asked);
}
