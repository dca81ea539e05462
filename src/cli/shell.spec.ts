import { execFileSync } from 'node:child_process';
import { commandLine, shellWord } from './shell.js';

test.each(['plain', 'with blank', "it's", '["a#env:B"]', '$HOME `id` "x" \\ \n', ''])(
  'a shell reads %j back as it was',
  (word) => {
    expect(execFileSync('/bin/sh', ['-c', `printf %s ${shellWord(word)}`]).toString()).toBe(word);
  },
);

test('flags that are undefined or false are left out, lists repeat their flag', () => {
  const flags = { '--a': 'x y', '--b': undefined, '--c': false, '--d': true, '--e': ['1', '2'] };
  expect(commandLine(['kp', 'do'], flags)).toBe("kp do --a 'x y' --d --e 1 --e 2");
});
