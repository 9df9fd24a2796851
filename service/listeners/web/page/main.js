/**
 * Starts the page: the session, the views, and the address that says what is open. It shows nothing by itself.
 */
import { Composer } from './composer.js';
import { byId, h, iconButton, soon, style } from './dom.js';
import { browserEnvironment } from './environment.js';
import { Head } from './head.js';
import { Hold } from './hold.js';
import { bindKeys } from './keys.js';
import { labels } from './labels.js';
import { read, write } from './route.js';
import { titleOf } from './rows.js';
import { Session } from './session.js';
import { Sidebar } from './sidebar.js';
import { MAIN } from './store.js';
import { Talk } from './talk.js';
import { oneLine } from './text.js';

const PHONE = matchMedia('(max-width: 700px)');
const ROOMY = matchMedia('(min-width: 1000.1px)');
const LATER = 'dialogs.css';
const AGAIN = 5000; // ms to the next try to load the rest
const PATIENCE = 1500; // ms for a login by token, before there is a word about it
const COMPLAINT = 10_000; // ms that a complaint stays, if nobody puts it away

export class App {
  constructor() {
    this.session = new Session(browserEnvironment());
    this.target = '';
    this.complain = this.complain.bind(this);
    /** @type {import('./door.js').Door | null} */
    this.door = null;
    /** @type {import('./notify.js').Notifier | null} */
    this.notifier = null;
    this.before = location.hash; // where one was before, for the way back
    this.at = location.hash;
    this.view = '';
    this.patience = 0;
    this.hold = new Hold(window);
    this.talk = new Talk(this);
    this.side = new Sidebar(this);
    this.head = new Head(this);
    this.composer = new Composer(this);
    /** @type {import('./members.js').Members | null} */
    this.members = null;
    /**
     * Rarely needed, so loaded once the page stands: what is on the way to the talk comes first.
     * @template M @template {unknown[]} A
     * @param {() => Promise<M>} load @param {(module: M, ...given: A) => void} deed
     */
    const late = (load, deed) => (/** @type {A} */ ...given) =>
      Promise.all([load(), style(LATER)]).then(([module]) => deed(module, ...given)).catch(this.complain);
    const rooms = () => import('./rooms.js');
    this.dialogs = {
      rooms: late(rooms, ({ openRooms }) => openRooms(this)),
      talk: late(rooms, ({ openTalk }) => openTalk(this)),
      room: late(rooms, ({ openRoom }, /** @type {string} */ target) => openRoom(this, target)),
      remove: late(rooms, ({ openRemoval }, /** @type {number} */ id) => openRemoval(this, id)),
      person: late(() => import('./person.js'), ({ openPerson }, /** @type {string} */ name) => openPerson(this, name)),
      search: late(() => import('./search.js'), ({ openSearch }) => openSearch(this)),
      shortcuts: late(() => import('./shortcuts.js'), ({ openKeys }) => openKeys()),
      account: late(() => import('./account.js'), ({ openAccount }) => openAccount(this)),
      paste: late(
        () => import('./paste.js'),
        ({ openPaste }, /** @type {string} */ text, /** @type {number} */ most) => openPaste(this.composer, text, most),
      ),
    };
    this.session.subscribe((change) => this.change(change));
    addEventListener('hashchange', () => this.follow());
    addEventListener('pagehide', () => this.session.leavePage());
    addEventListener('storage', ({ key, newValue }) => this.session.hearStorage(key, newValue));
    ROOMY.addEventListener('change', () => this.panes());
    PHONE.addEventListener('change', () => (this.panes(), this.draw()));
    byId('skip').addEventListener(
      'click',
      (/** @type {Event} */ event) => (event.preventDefault(), this.composer.focus()),
    );
    bindKeys(this);
    this.fitKeyboard();
  }

  start() {
    const { target } = read(location.hash);
    target && this.session.open(target).catch(() => {}); // it is loaded first
    this.session.start();
    this.phase();
  }

  /** @param {import("./store.js").Change} change */
  change(change) {
    const { talk } = this;
    switch (change.kind) {
      case 'session':
        soon(this.phase);
        break;
      case 'append':
        change.target === talk.target && talk.arrive(change.messages, change.live);
        break;
      case 'call':
        this.notifier?.call(change.target, change.message);
        break;
      case 'renamed':
        this.rename(change.from, change.to);
        break;
      case 'removed':
        change.target === this.target && this.go(MAIN);
        break;
      case 'messages':
      case 'pending':
        change.target === talk.target && soon(talk.update);
        break;
      default:
        soon(this.draw);
    }
    if (change.kind === 'pending' || change.kind === 'append') {
      soon(this.draw);
    }
  }

  /** Logged in or not: which of the two views is there. */
  phase = () => {
    const { session } = this;
    const view = { entering: 'wait', out: 'door', in: 'chat' }[session.phase];
    const isNew = view !== this.view;
    document.body.dataset.view = this.view = view;
    byId('chat').hidden = view === 'door';
    if (view === 'door') {
      this.target = '';
      this.talk.target = '';
      this.talk.leave();
      this.talk.forget();
      this.composer.forget();
      for (const open of document.querySelectorAll('dialog')) {
        open.close();
      }
      this.openDoor().catch(this.complain);
    } else {
      this.door?.hide();
    }
    if (isNew) {
      byId('waiting')?.remove();
      clearTimeout(this.patience);
      this.patience = view === 'wait' ? window.setTimeout(() => this.wait(), PATIENCE) : 0;
    }
    if (view === 'chat' && !this.target) {
      document.body.dataset.members = session.keep?.get('members') ?? 'yes';
      this.follow();
      this.later();
    }
    this.draw();
    soon(this.talk.update);
  };

  /** There is a token, and nobody to show it to. */
  wait() {
    document.body.dataset.pane = 'talk';
    const again = () => this.session.retryNow();
    byId('head').after(
      h(
        'p',
        { id: 'waiting', role: 'status' },
        labels.noConnection,
        ' ',
        h('button', { type: 'button', class: 'link', onclick: again }, labels.tryNow),
      ),
    );
  }

  async openDoor() {
    const [{ Door }] = await Promise.all([import('./door.js'), style(LATER)]);
    this.door ??= new Door(this.session);
    this.session.phase === 'out' && this.door.show();
  }

  draw = () => {
    if (this.session.phase === 'in') {
      this.side.update();
      this.head.update();
      this.composer.update();
      this.members?.update();
    }
    this.entitle();
  };

  /** Names the tab: how often the user is called, which conversation is open, whose chat it is. */
  entitle() {
    const { phase, hello, store } = this.session;
    const count = phase === 'in' && this.notifier?.isLeading ? store.unread().mentions : 0;
    const conversation = phase === 'in' && store.get(this.target);
    const place = conversation ? `${this.title(conversation)} – ` : '';
    document.title = `${count ? `(${count}) ` : ''}${place}${oneLine(hello?.server ?? '') || 'Chat'}`;
  }

  /** The rest of the page, so that it is there when the connection is not. */
  later() {
    const load = async () => {
      const [{ Members }, { Notifier }] = await Promise.all([import('./members.js'), import('./notify.js')]);
      this.members ??= new Members(this);
      this.notifier ??= new Notifier(this);
      this.draw();
      await Promise.all([
        style(LATER),
        import('./rooms.js'),
        import('./search.js'),
        import('./account.js'),
        import('./person.js'),
        import('./paste.js'),
        import('./shortcuts.js'),
      ]);
    };
    load().catch(() => setTimeout(() => this.later(), AGAIN));
  }

  // -- where one is ---------------------------------------------------------------------------------------------------
  /** Opens what the address says. */
  async follow() {
    const { session } = this;
    if (session.phase !== 'in') {
      return;
    }
    const place = read(location.hash);
    document.body.dataset.pane = place.pane;
    if (location.hash !== this.at) {
      [this.before, this.at] = [this.at, location.hash];
    }
    if (!place.target && PHONE.matches) {
      this.target ||= MAIN;
      this.talk.look();
      this.draw();
      return;
    }
    let target = place.target || this.target || session.keep?.get('open') || MAIN;
    if (
      target === `#${session.store.mainRoom}` ||
      (target !== MAIN && !target.startsWith('@') && !session.store.get(target))
    ) {
      target = MAIN; // its name leads there too; a room that is not one's own has nothing to show
      place.target !== target && place.target !== `#${session.store.mainRoom}` && place.target &&
        this.complain(labels.gone(place.target));
    }
    const isNew = target !== this.talk.target;
    this.target = target;
    session.keep?.set('open', target);
    this.panes();
    if (isNew || place.id) {
      const opened = this.talk.open(target, place.id);
      await (session.store.get(target) ? 0 : opened);
      if (target === this.target) {
        this.composer.open(target);
        PHONE.matches || matchMedia('(pointer: coarse)').matches || this.composer.focus();
      }
    }
    this.talk.look();
    this.draw();
  }

  /** @param {string} target @param {number} [id] of a message */
  go(target, id) {
    const hash = write(target, id);
    if (location.hash === hash) {
      this.follow();
    } else {
      location.hash = hash;
    }
  }

  panes() {
    const { pane, target } = read(location.hash);
    // What has an address of its own on a phone is beside the talk where there is space.
    document.body.dataset.pane = !PHONE.matches && !target
      ? 'talk'
      : pane === 'members' && ROOMY.matches
      ? 'talk'
      : pane;
    this.talk.list.isAtEnd && this.talk.list.resized();
  }

  isPhone() {
    return PHONE.matches;
  }

  /** As the system's way back does, where that leads there. */
  back() {
    const hash = read(location.hash).pane === 'members' ? write(this.target) : '';
    hash === this.before ? history.back() : location.replace(hash || '#');
  }

  toggleMembers() {
    if (ROOMY.matches) {
      const shown = document.body.dataset.members === 'no' ? 'yes' : 'no';
      document.body.dataset.members = shown;
      this.session.keep?.set('members', shown);
    } else {
      location.hash = read(location.hash).pane === 'members' ? write(this.target) : write(this.target, 'members');
    }
  }

  escape() {
    read(location.hash).pane === 'members' && !ROOMY.matches ? this.back() : this.composer.focus();
  }

  /** @param {number} index of a conversation in the list */
  turn(index) {
    const conversation = this.session.store.conversations()[index];
    conversation && this.go(conversation.target);
  }

  /** @param {number} by */
  step(by) {
    const all = this.session.store.conversations();
    const at = all.findIndex(({ target }) => target === this.target);
    this.turn((at + by + all.length) % all.length);
  }

  turnToNew() {
    const all = this.session.store.conversations();
    const at = all.findIndex(({ target }) => target === this.target);
    const next = [...all.slice(at + 1), ...all.slice(0, at)].find(({ unread, isInvited }) => unread || isInvited);
    next && this.go(next.target);
  }

  /** @param {string} from @param {string} to */
  rename(from, to) {
    const { keep } = this.session;
    const [draft, isOpen] = [keep?.get(`draft @${from}`), this.target === `@${from}`];
    draft && keep?.set(`draft @${to}`, draft);
    keep?.remove(`draft @${from}`);
    if (isOpen) {
      this.target = this.talk.target = this.composer.target = `@${to}`;
      history.replaceState(null, '', write(this.target));
    }
    soon(this.talk.update);
    soon(this.draw);
  }

  // -- for the views --------------------------------------------------------------------------------------------------
  /** @param {import("./conversation.js").Conversation} conversation */
  title(conversation) {
    return titleOf(conversation, this.session.store.mainRoom);
  }

  /** What to do in a conversation that is empty. @param {string} target */
  ways(target) {
    const { store } = this.session;
    const isRoom = store.get(target)?.kind === 'room';
    return isRoom && store.may(target, 'invite')
      ? [h('button', { type: 'button', onclick: () => this.dialogs.room(target) }, labels.invite)]
      : [];
  }

  /** Does something, and says what went wrong. @param {Promise<unknown>} deed */
  perform(deed) {
    return deed.catch(this.complain);
  }

  /** @param {unknown} wrong */
  complain(wrong) {
    const text = oneLine(wrong instanceof Error ? wrong.message : String(wrong));
    byId('toast')?.remove();
    const toast = h(
      'div',
      { id: 'toast', role: 'alert' },
      h('span', {}, text),
      iconButton('close', labels.hide, () => toast.remove()),
    );
    (document.querySelector('dialog[open]') ?? document.body).append(toast);
    setTimeout(() => toast.remove(), COMPLAINT);
  }

  /** Where a phone's keyboard covers the page in place of making it smaller. */
  fitKeyboard() {
    const viewport = globalThis.visualViewport;
    viewport?.addEventListener('resize', () => {
      const isCovered = innerHeight - viewport.height * viewport.scale > 80;
      document.documentElement.style.setProperty(
        '--height',
        isCovered && viewport.scale === 1 ? `${viewport.height}px` : '100dvh',
      );
      isCovered && scrollTo(0, 0);
    });
  }
}

new App().start();
