/**
 * The dialogs about rooms: those there are, a new one, what one room is; a talk with somebody, a message to delete.
 */
import { confirm, dialog, form } from './dialog.js';
import { fill, h } from './dom.js';
import { counted } from './format.js';
import { labels } from './labels.js';
import { prompts } from './prompts.js';
import { banRow } from './person.js';
import { titleOf } from './rows.js';
import { oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

/** The rooms that one may see, to join or open, and a form for a new one. @param {App} app */
export function openRooms(app) {
  const { session } = app;
  const list = h('ul', { class: 'rows', 'aria-label': prompts.roomsTitle });
  const more = h('button', { type: 'button', hidden: true, onclick: () => load(last) }, prompts.more);
  let last = '';
  const turn = async (/** @type {string | Promise<string>} */ target) => {
    const found = await target;
    shown.close();
    app.go(found);
  };
  async function load(after = '') {
    try {
      const page = await session.rooms(after);
      last = page.rooms.at(-1)?.room ?? '';
      more.hidden = !page.more;
      list.append(...page.rooms.map(row));
      list.childElementCount || fill(list, h('li', {}, prompts.noneFound));
    } catch (error) {
      fill(list, h('li', { class: 'fail' }, error instanceof Error ? error.message : /** @type {any} */ (error).text));
    }
  }
  const row = (/** @type {any} */ { room, topic, members, role, invited, private: isPrivate }) =>
    h(
      'li',
      {},
      h(
        'div',
        { class: 'grow' },
        h('b', { dir: 'auto' }, `#${oneLine(room)}`),
        h(
          'p',
          { class: 'quiet' },
          [counted(members, 'member'), isPrivate && prompts.private, invited && labels.invited, role && prompts.yours]
            .filter(Boolean).join(', '),
        ),
        topic && h('p', { dir: 'auto' }, oneLine(topic)),
      ),
      role ? h('button', { type: 'button', onclick: () => turn(`#${room}`) }, prompts.open) : h('button', {
        type: 'button',
        class: 'main',
        'aria-label': `${labels.join} ${oneLine(room)}`,
        onclick: () => app.perform(turn(session.join(room))),
      }, labels.join),
    );
  const making = form(
    prompts.make,
    (fields) =>
      turn(
        session.create(
          String(fields.get('name')).trim().replace(/^#/, ''),
          String(fields.get('topic')).trim(),
          fields.has('private'),
        ),
      ),
    h(
      'label',
      {},
      h('span', {}, prompts.roomName),
      h('input', {
        name: 'name',
        required: true,
        maxlength: '32',
        autocapitalize: 'off',
        placeholder: prompts.roomHint,
      }),
    ),
    h('label', {}, h('span', {}, prompts.topic), h('input', { name: 'topic', maxlength: '300' })),
    h('label', { class: 'tick' }, h('input', { type: 'checkbox', name: 'private' }), h('span', {}, prompts.isPrivate)),
  );
  const shown = dialog(prompts.roomsTitle, h('details', {}, h('summary', {}, prompts.makeRoom), making), list, more);
  load();
}

/** A talk with somebody, by their name. @param {App} app */
export function openTalk(app) {
  const { session } = app;
  const names = [...session.store.online].filter((name) => name !== session.store.me).slice(0, 500);
  const asked = form(
    prompts.begin,
    async (fields) => {
      const target = await session.talkWith(String(fields.get('name')).trim().replace(/^@/, ''));
      shown.close();
      app.go(target);
    },
    h(
      'label',
      {},
      h('span', {}, prompts.whom),
      h('input', {
        name: 'name',
        required: true,
        autofocus: true,
        autocapitalize: 'off',
        autocomplete: 'off',
        list: 'names',
        spellcheck: 'false',
      }),
    ),
    h('datalist', { id: 'names' }, ...names.sort().map((value) => h('option', { value }))),
  );
  const shown = dialog(prompts.talkTitle, asked);
}

/** What a room is, and what one may change of it. @param {App} app @param {string} target */
export function openRoom(app, target) {
  const { session } = app;
  const { store } = session;
  const conversation = store.get(target);
  if (!conversation) {
    return;
  }
  const may = (/** @type {import("./rank.js").Deed} */ deed) => store.may(target, deed);
  const title = titleOf(conversation, store.mainRoom);
  const { topic, isPrivate, kind, role, memberCount } = conversation;
  const done = h('p', { class: 'quiet', role: 'status' });
  const inviting = may('invite') &&
    form(
      prompts.inviteShort,
      async (fields) => {
        const name = String(fields.get('name')).trim().replace(/^@/, '');
        await session.moderate(target, name, 'invite', {});
        done.textContent = prompts.inviteDone(oneLine(name));
      },
      h(
        'label',
        {},
        h('span', {}, labels.invite),
        h('input', {
          name: 'name',
          required: true,
          autocapitalize: 'off',
          autocomplete: 'off',
          placeholder: prompts.inviteLabel,
        }),
      ),
      done,
    );
  const naming = may('topic')
    ? form(
      prompts.save,
      async (fields) => {
        await session.setTopic(target, String(fields.get('topic')).trim());
        shown.close();
      },
      h(
        'label',
        {},
        h('span', {}, prompts.topicLabel),
        h('input', { name: 'topic', maxlength: '300', value: topic, dir: 'auto' }),
      ),
    )
    : h('p', { dir: 'auto' }, oneLine(topic) || prompts.noTopic);
  for (const one of [inviting, naming]) {
    one && one.matches('form') && one.classList.add('inline');
  }
  const way = (/** @type {string} */ label, /** @type {() => void} */ deed, isGrave = false) =>
    h('button', { type: 'button', class: isGrave && 'grave', onclick: () => (shown.close(), deed()) }, label);
  const told = [
    kind === 'main' ? labels.main : counted(memberCount, 'member'),
    isPrivate && prompts.private,
    role && role !== 'member' && `you are ${role}`,
  ];
  const shown = dialog(
    title,
    h('p', { class: 'quiet' }, told.filter(Boolean).join(', ')),
    naming,
    kind === 'room' && inviting,
    h(
      'div',
      { class: 'ways down' },
      may('bans') && way(prompts.bans, () => openBans(app, target)),
      kind === 'room' && !isPrivate && may('private') &&
        way(
          prompts.makePrivate,
          () =>
            confirm(
              prompts.makePrivate,
              prompts.makePrivateText,
              prompts.makePrivate,
              () => session.makePrivate(target),
            ),
        ),
      kind === 'room' && may('leave') &&
        way(
          prompts.leave,
          () =>
            confirm(
              prompts.leaveTitle(title),
              isPrivate ? prompts.leavePrivate : prompts.leavePublic,
              prompts.leave,
              () => session.leave(target),
            ),
          true,
        ),
    ),
  );
}

/** @param {App} app @param {string} target */
function openBans(app, target) {
  const { session } = app;
  const list = h('ul', { class: 'rows', 'aria-label': prompts.bans });
  dialog(prompts.bans, list);
  const load = async (after = '') => {
    const page = await session.bans(target, after);
    for (const ban of page.bans) {
      const end = h('button', {
        type: 'button',
        onclick: () => app.perform(session.moderate(target, ban.name, 'unban', {}).then(() => row.remove())),
      }, prompts.deeds.unban.label);
      const row = banRow(ban, end);
      list.append(row);
    }
    list.childElementCount || fill(list, h('li', {}, prompts.noBans));
    page.more && (await load(page.bans.at(-1)?.name));
  };
  app.perform(load());
}

/** Asks before a message is deleted. @param {App} app @param {number} id */
export function openRemoval({ session }, id) {
  confirm(prompts.removeTitle, prompts.removeText, labels.remove, () => session.remove(id));
}
