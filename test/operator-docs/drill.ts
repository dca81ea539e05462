import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ran, ROOT } from '../processes.js';

/**
 * A page of commands for operators, as a spec executes it: from its first line to its last, in their order,
 *  - ```sh WHO: a shell of WHO runs the block as it is written. It must end with 0, or as its output says;
 *  - ```text after it: what it prints, on both streams. `…` stands for anything; a last line `[exit code N]` for how it ends;
 *  - ```sh not-run: nobody runs it here (systemctl, docker), and the page says so before it;
 *  - <!-- drill: WORDS -->: the spec does what is said, which a reader sees as prose: it kills, moves, wipes, or waits.
 */
type Step =
  | {
      readonly kind: 'run';
      readonly who: string;
      readonly lines: string;
      expected: string | undefined;
    }
  | { readonly kind: 'do'; readonly words: string }
  | { readonly kind: 'not-run'; readonly lines: string; readonly before: string };

const FENCE_OR_MARK = /^```(\w*)(?: ([\w-]+))?\n(.*?)^```$|^<!-- drill: (.+?) -->$/gms;

export const pageText = (page: string) => readFileSync(join(ROOT, page), 'utf8');

export function stepsOf(page: string): Step[] {
  const text = pageText(page);
  const steps: Step[] = [];
  let last: Step | undefined;
  for (const match of text.matchAll(FENCE_OR_MARK)) {
    const [, language, who = '', lines = '', words] = match;
    if (language === 'text') {
      if (last?.kind === 'run' && last.expected === undefined) last.expected = lines;
      continue; // a picture, or what somebody sees elsewhere
    }
    if (words !== undefined) last = { kind: 'do', words };
    else if (language !== 'sh') continue;
    else if (who === 'not-run') last = { kind: 'not-run', lines, before: paragraphBefore(text, match.index) };
    else last = { kind: 'run', who, lines, expected: undefined };
    steps.push(last);
  }
  return steps;
}

function paragraphBefore(text: string, at: number): string {
  return (text.slice(0, at).trimEnd().split('\n\n').at(-1) ?? '').replaceAll('\n', ' ');
}

export type Shells = Readonly<Record<string, (lines: string) => Promise<Ran>>>;
export type Acts = Readonly<Record<string, () => Promise<unknown> | unknown>>;

/**
 * Executes the page. Returns what was printed and not as the page says. A command that ends otherwise than the page says, or an
 * act that fails, ends it with an error: what follows relies on it.
 */
export async function execute(page: string, shells: Shells, acts: Acts = {}): Promise<string[]> {
  const steps = stepsOf(page);
  const words = steps.flatMap((step) => (step.kind === 'do' ? [step.words] : []));
  const wrong = Object.keys(acts)
    .filter((name) => !words.includes(name))
    .map((name) => `${page} does not say: ${name}`);
  for (const step of steps) {
    if (step.kind === 'do') await acted(page, step.words, acts);
    else if (step.kind === 'run') wrong.push(...(await ran(page, step, shells)));
  }
  return wrong;
}

async function acted(page: string, words: string, acts: Acts): Promise<void> {
  const act = acts[words];
  if (act === undefined) throw new Error(`${page}: nobody does '${words}' here`);
  await act();
}

async function ran(page: string, step: Extract<Step, { kind: 'run' }>, shells: Shells): Promise<string[]> {
  const { who, lines, expected } = step;
  const shell = shells[who];
  if (shell === undefined) return [`${page}: a block is for '${who}', who is not here:\n${lines}`];
  const { code, stdout } = await shell(`exec 2>&1\n${lines}`);
  const [, text = expected, exitCode = '0'] = /^(.*?)\[exit code (\d)\]\n$/s.exec(expected ?? '') ?? [];
  const asSaid = text === undefined || likeness(text).test(stdout.trim());
  const report = `${page}: ${who} typed\n${lines}exit code ${code}, and was told\n${stdout}where the page says\n${text ?? ''}`;
  if (code !== Number(exitCode)) throw new Error(report);
  return asSaid ? [] : [report];
}

/** The text with `…` for anything. Blanks at the ends of lines and of the whole count for nothing. */
function likeness(text: string): RegExp {
  const literal = text.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replaceAll('…', '[^]*?').replaceAll(/ *\n/g, ' *\\n')}$`);
}
