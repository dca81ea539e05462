import { PassThrough } from 'node:stream';
import { Interrupted, openTerminal } from './terminal.js';

function terminal() {
  const raw: boolean[] = [];
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (mode: boolean) => raw.push(mode) });
  const output = new PassThrough();
  const opened = openTerminal(input as unknown as NodeJS.ReadStream, output as unknown as NodeJS.WriteStream);
  if (!opened) throw new Error('it is a terminal');
  return { input, output, raw, opened };
}

test('a hidden answer is read in raw mode, with erase, and nothing but the question is written', async () => {
  const { input, output, raw, opened } = terminal();
  const answer = opened.askHidden('Passphrase: ');
  input.write('pas');
  input.write('x\x7fs é\r');
  expect(await answer).toBe('pass é');
  expect(raw).toEqual([true, false]);
  expect(output.read()?.toString()).toBe('Passphrase: \n');
});

test('what was typed or pasted ahead answers the next question', async () => {
  const { input, opened } = terminal();
  input.write('first\rsecond\r');
  expect(await opened.askHidden('One: ')).toBe('first');
  expect(await opened.askHidden('Two: ')).toBe('second');
});

test('Ctrl-C at a question gives the terminal back and ends', async () => {
  const { input, raw, opened } = terminal();
  const answer = opened.askHidden('Passphrase: ');
  input.write('pas\x03');
  await expect(answer).rejects.toBeInstanceOf(Interrupted);
  expect(raw).toEqual([true, false]);
});

test('what is not a terminal cannot be asked', () => {
  expect(openTerminal(new PassThrough() as unknown as NodeJS.ReadStream, process.stderr)).toBeNull();
});
