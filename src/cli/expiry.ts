import { type CliContext, notice } from './context.js';

/** An administrator, as a unit or the server shows it. */
interface Admin {
  readonly name: string;
  readonly kid: string;
  readonly notAfter?: string | null | undefined;
}

/** So long before the end of a certificate kp begins to say so. */
export const WARNING_DAYS = 30;
const DAY_MS = 24 * 60 * 60_000;

/** The sentence about a certificate that has ended or soon will; undefined when there is nothing to say. */
export function expirySentence({ name, kid, notAfter }: Admin, now: Date): string | undefined {
  if (!notAfter) return undefined;
  const left = Date.parse(notAfter) - now.getTime();
  if (left > WARNING_DAYS * DAY_MS) return undefined;
  const [day] = notAfter.split('T');
  const said = left < 0 ? `ended on ${day}` : `ends on ${day}`;
  return `The certificate of administrator '${name}' (${kid.slice(0, 16)}…) ${said}. The key goes on signing; make a new one and take this one away: 'kp crypto-unit user add --type admin', 'kp crypto-unit user remove'.`;
}

/** One sentence for each administrator whose certificate ends, whichever units it is enrolled in. */
export function expirySentences(admins: readonly Admin[], now: Date): string[] {
  return [...new Set(admins.flatMap((admin) => expirySentence(admin, now) ?? []))];
}

/** Warns of the certificates of those who are about to sign. */
export function warnOfExpiry(
  ctx: CliContext,
  units: readonly {
    readonly record: { readonly admins: readonly Admin[] };
    readonly signers: readonly { readonly kid: string }[];
  }[],
): void {
  const signing = units.flatMap(({ record, signers }) =>
    record.admins.filter(({ kid }) => signers.some((signer) => signer.kid === kid)),
  );
  for (const sentence of expirySentences(signing, ctx.now())) notice(ctx, sentence);
}
