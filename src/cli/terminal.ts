import { createInterface } from 'node:readline/promises';
import type { ReadStream } from 'node:tty';

/** A person who can be asked. Questions go to stderr, so that stdout holds results alone. */
export interface Terminal {
  /** One line, echoed. */
  ask(question: string): Promise<string>;
  /** One line, not echoed. Throws `Interrupted` on Ctrl-C or Ctrl-D. */
  askHidden(question: string): Promise<string>;
}

/** The person pressed Ctrl-C at a question. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor() {
    super('interrupted');
  }
}

const ENTER = new Set(['\r', '\n']);
const STOP = new Set(['\x03', '\x04']);
const ERASE = new Set(['\x7f', '\b']);

/** The terminal behind stdin, or null when stdin is not one. */
export function openTerminal(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Terminal | null {
  if (!input.isTTY) return null;
  return {
    async ask(question) {
      const lines = createInterface({ input, output });
      try {
        return (await lines.question(question)).trim();
      } finally {
        lines.close();
      }
    },
    async askHidden(question) {
      const answer = readHidden(input); // raw before the question is there: nothing typed ahead is echoed
      output.write(question);
      try {
        return await answer;
      } finally {
        output.write('\n');
      }
    },
  };
}

/** Reads one line in raw mode: nothing is echoed, erase works, a pasted line counts up to its end. */
function readHidden(input: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const finish = (settle: () => void) => {
      input.off('data', onData);
      input.setRawMode(false);
      input.pause();
      settle();
    };
    const onData = (chunk: string) => {
      const characters = [...chunk];
      for (const [at, character] of characters.entries()) {
        if (STOP.has(character)) return finish(() => reject(new Interrupted()));
        if (ENTER.has(character)) {
          finish(() => resolve(typed.join('')));
          const ahead = characters.slice(at + 1).join('');
          if (ahead !== '') input.unshift(ahead, 'utf8');
          return;
        }
        if (ERASE.has(character)) typed = typed.slice(0, -1);
        else typed.push(character);
      }
    };
    input.setEncoding('utf8');
    input.setRawMode(true);
    input.on('data', onData);
    input.resume();
  });
}
