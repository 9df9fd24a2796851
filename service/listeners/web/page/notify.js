/**
 * Notifications, and which tab counts in its title: one only, however many are open.
 */
import { excerpt, oneLine } from './text.js';

/** @typedef {import("./main.js").App} App */

const LOOK = 700; // ms in which another tab or device that shows the message says so
const BEAT = 2000; // ms between signs of life of the leading tab, where the browser has no locks
const TEXT = 120; // characters of a message in a notification

/** What the browser says of notifications: "none" where it has none for this page. */
export function permission() {
  return 'Notification' in globalThis && isSecureContext ? Notification.permission : 'none';
}

/** Calls once this tab is the leading one; it stays that until it is closed. @param {string} name @param {() => void} lead */
export function leadOnce(name, lead) {
  if (navigator.locks) {
    navigator.locks.request(name, () => {
      lead();
      return new Promise(() => {});
    });
    return;
  }
  // Over plain http there are no locks: who has said nothing for three beats leads no more.
  const me = String(Math.random());
  let isLeading = false;
  const beat = () => {
    try {
      const [id, time] = (localStorage.getItem(name) ?? ' 0').split(' ');
      if (id === me || Date.now() - Number(time) > 3 * BEAT) {
        localStorage.setItem(name, `${me} ${Date.now()}`);
        isLeading || lead();
        isLeading = true;
      }
    } catch {
      isLeading || lead(); // nothing is kept here, so no other tab can be known
      isLeading = true;
    }
  };
  beat();
  setInterval(beat, BEAT);
}

export class Notifier {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.isLeading = false;
    leadOnce('chat leading tab', () => {
      this.isLeading = true;
      app.entitle();
    });
  }

  /** Somebody calls for the user. @param {string} target @param {import("./store.js").Message} message */
  call(target, message) {
    const { session } = this.app;
    if (!this.isLeading || permission() !== 'granted' || session.keep?.get('notify') !== 'yes') {
      return;
    }
    setTimeout(() => {
      const conversation = session.store.get(target);
      if (!conversation?.unread || conversation.readId >= message.id) {
        return; // shown elsewhere meanwhile, or deleted
      }
      try {
        const from = oneLine(message.from);
        const place = conversation.kind === 'talk' ? from : `${from}, ${this.app.title(conversation)}`;
        const note = new Notification(place, {
          body: excerpt(message.text, TEXT),
          tag: `chat ${target}`,
          icon: '/icon.svg',
        });
        note.onclick = () => {
          focus();
          this.app.go(target);
          note.close();
        };
      } catch {
        // Some phones know notifications of installed pages only.
      }
    }, LOOK);
  }
}
