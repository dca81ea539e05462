import { KeysteadError } from '../shared/errors.js';
import { fieldRefused } from './key-rules.js';

/** Names and values that clients give a key, to find it by. No MAC covers them: nothing is decided by them. */
export type Labels = Readonly<Record<string, string>>;

export const MOST_LABELS = 20;
const MOST_CHARACTERS = 128;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** The labels with these added. FIELD_INVALID, LABEL_QUOTA. */
export function labelled(before: Labels, added: Labels, most = MOST_LABELS): Labels {
  for (const [name, value] of Object.entries(added)) {
    const good = name.length >= 1 && name.length <= MOST_CHARACTERS && value.length <= MOST_CHARACTERS;
    if (!good || CONTROL.test(name + value)) {
      throw fieldRefused(
        'labels',
        `names of 1 to ${MOST_CHARACTERS} characters and values of up to ${MOST_CHARACTERS}`,
      );
    }
  }
  const after = { ...before, ...added };
  if (Object.keys(after).length <= most) return after;
  throw new KeysteadError('LABEL_QUOTA', `a key may have ${most} labels; take some away that are not needed`);
}

/** The labels without those of these names. LABEL_NOT_FOUND, unless lenient. */
export function unlabelled(before: Labels, names: readonly string[], lenient = false): Labels {
  const missing = names.find((name) => !Object.hasOwn(before, name));
  if (missing !== undefined && !lenient) {
    throw new KeysteadError('LABEL_NOT_FOUND', `the key has no label ${missing}`);
  }
  return Object.fromEntries(Object.entries(before).filter(([name]) => !names.includes(name)));
}
