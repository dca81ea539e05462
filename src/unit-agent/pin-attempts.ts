import { z } from 'zod';
import { KeysteadError } from '../shared/errors.js';
import type { Secret } from '../shared/secret.js';
import type { SealKey } from './seal.js';
import type { UnitDir } from './unit-dir.js';

const NOTE = 'login.pending';
/** An attempt whose end nobody saw (a crash, a power cut) may be made once more: tokens lock after three or more. */
const UNSEEN_ATTEMPTS = 2;
const Note = z.strictObject({ v: z.literal(1), pin: z.string(), attempts: z.int(), refused: z.boolean() });

/**
 * The note about logins with one PIN, made before an attempt and removed when it succeeds. A real HSM locks or wipes
 * itself after a few wrong PINs, so a PIN refused once is not tried again, across restarts, until the PIN file changes.
 * `pin` is a name of the PIN that only a holder of the seal key can compare (SealKey.nameOf).
 */
export class PinAttempts {
  constructor(
    private readonly dir: UnitDir,
    private readonly key: SealKey,
    private readonly pin: Secret,
  ) {}

  /** Whether there is a note of any PIN. */
  static isNoted(dir: UnitDir): boolean {
    return dir.has(NOTE);
  }

  /** Throws PIN_REFUSED when this PIN must not be tried. */
  assertAllowed(): void {
    const note = this.#note();
    if (!note || !this.#isOf(note) || (!note.refused && note.attempts < UNSEEN_ATTEMPTS)) return;
    throw new KeysteadError(
      'PIN_REFUSED',
      'the token refused the PIN in the PIN file, and it is not tried again; write the right PIN to the file',
    );
  }

  /** Durable before C_Login. */
  begin(): void {
    const note = this.#note();
    const attempts = note && this.#isOf(note) ? note.attempts + 1 : 1;
    this.#write({ attempts, refused: false });
  }

  /** How it ended: only a refused PIN leaves its note. */
  end(outcome: 'accepted' | 'refused' | 'not tried'): void {
    if (outcome === 'refused') this.#write({ attempts: 1, refused: true });
    else this.dir.remove(NOTE);
  }

  /** Writes the note, if it is of this PIN, under the newest seal key. */
  rename(): void {
    const note = this.#note();
    if (note && this.#isOf(note)) this.#write(note);
  }

  #isOf(note: z.infer<typeof Note>): boolean {
    return this.key.isNameOf(note.pin, this.pin);
  }

  #note(): z.infer<typeof Note> | undefined {
    const text = this.dir.read(NOTE)?.toString('utf8');
    return text === undefined ? undefined : Note.parse(JSON.parse(text));
  }

  #write({ attempts, refused }: Pick<z.infer<typeof Note>, 'attempts' | 'refused'>): void {
    const note: z.infer<typeof Note> = { v: 1, pin: this.key.nameOf(this.pin), attempts, refused };
    this.dir.write(NOTE, `${JSON.stringify(note)}\n`);
  }
}
