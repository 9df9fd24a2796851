/**
 * How times, names and numbers are written. Pure; takes the reader's locale and zone.
 */

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const YEAR_DAY = new Intl.DateTimeFormat(undefined, {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const NUMBER = new Intl.NumberFormat();
/** @type {any} of letters as people see them; older browsers have none */
const LETTERS = 'Segmenter' in Intl ? new Intl.Segmenter() : null;

/** @param {string | number | Date} time */
export const clock = (time) => TIME.format(new Date(time));
/** A time where space is short: no AM or PM. @param {string} time */
export const brief = (time) =>
  TIME.formatToParts(new Date(time)).filter(({ type }) => type !== 'dayPeriod').map(({ value }) => value).join('')
    .trim();
/** @param {string} time */
export const whole = (time) => WHOLE.format(new Date(time));
/** @param {number} count */
export const number = (count) => NUMBER.format(count);

/** A number that stays narrow. @param {number} count */
export const few = (count) => (count > 999 ? '999+' : String(count));

/** The day of a time, as one can compare it. @param {string | number | Date} time */
export const dayOf = (time) => new Date(time).toDateString();

/** A day line. @param {string} time */
export function day(time) {
  const date = new Date(time);
  const now = new Date();
  if (dayOf(date) === dayOf(now)) {
    return `Today, ${DAY.format(date)}`;
  }
  return (date.getFullYear() === now.getFullYear() ? DAY : YEAR_DAY).format(date);
}

/** A time in a sentence: of today the clock, else the day too. @param {string | number | Date} time */
export function moment(time) {
  return dayOf(time) === dayOf(Date.now()) ? clock(time) : `${SHORT_DAY.format(new Date(time))}, ${clock(time)}`;
}

/** The first letter of a name, as people see it. @param {string} name */
export function initial(name) {
  const first = LETTERS ? LETTERS.segment(name)[Symbol.iterator]().next().value?.segment : [...name][0];
  return (first ?? '?').toLocaleUpperCase();
}

/** `1 message`, `3 messages`. @param {number} count @param {string} noun */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
