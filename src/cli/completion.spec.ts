import { spawnSync } from 'node:child_process';
import type { CliContext } from './context.js';
import { buildProgram } from './main.js';

function scriptFor(shell: string): string {
  const lines: string[] = [];
  const context: Partial<CliContext> = { env: {}, argv: [], json: false, out: (line) => lines.push(line) };
  buildProgram(context as CliContext).parse(['completion', shell], { from: 'user' });
  return lines.join('\n');
}

/** What bash offers after the words. */
function offered(...words: string[]): string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const ask = `${scriptFor('bash')}\nCOMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}\n_kp\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, status } = spawnSync('bash', ['-c', ask]);
  expect(status).toBe(0);
  return stdout
    .toString()
    .split('\n')
    .filter((word) => word !== '');
}

test('bash is offered commands, synonyms and options where they belong', () => {
  expect(offered('kp', 'crypto-u')).toEqual(['crypto-units', 'crypto-unit']);
  expect(offered('kp', 'crypto-unit', 'm')).toEqual(
    expect.arrayContaining(['master-key', 'mk', 'maintenance', 'master-keys']),
  );
  expect(offered('kp', 'crypto-unit', 'mk', '')).toEqual(
    expect.arrayContaining(['generate', 'import', 'list', 'verify', 'reshare']),
  );
  expect(offered('kp', 'key-')).toEqual(['key-rings', 'key-ring']);
  expect(offered('kp', 'key', 'policy-update', '')).toEqual(expect.arrayContaining(['rotation', 'dual-auth-delete']));
  expect(offered('kp', 'import-token', 'nonce-encrypt', '--n')).toEqual(['--nonce']);
  expect(offered('kp', 'crypto-unit', 'claim', '--credential', 'f', '--i')).toEqual(['--instance-id', '--ids']);
});

test('zsh and fish scripts name every command', () => {
  for (const shell of ['zsh', 'fish']) {
    expect(scriptFor(shell)).toContain('kp crypto-unit master-key generate');
    expect(scriptFor(shell)).toContain('kp crypto-unit mk generate');
  }
});
