import { execFileSync } from 'node:child_process';

/** DER of a self-signed certificate. */
export function certificateDer(): Buffer {
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    '/dev/null',
    '-subj',
    '/O=Bank/CN=Alice',
  ];
  return execFileSync('openssl', [...request, '-days', '1', '-outform', 'DER'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
