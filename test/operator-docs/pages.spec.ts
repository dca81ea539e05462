import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../processes.js';
import { pageText, stepsOf } from './drill.js';

/** What holds of every page for operators, whatever it is about. */
const RUNBOOKS = readdirSync(join(ROOT, 'docs/runbooks')).map((name) => `docs/runbooks/${name}`);
const PAGES = ['docs/installation.md', 'docs/ceremony.md', ...RUNBOOKS];
const TEXTS = ['docs/takeover.md', 'docs/compliance.md', 'docs/hsm-honesty.md', 'docs/shared-responsibility.md'];
/** Where a line ends says nothing. */
const flat = (text: string) => text.replaceAll(/\s+/g, ' ');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

it.each(PAGES)('%s: each shell block is for somebody who runs it, or the page says that CI does not', (page) => {
  const steps = stepsOf(page);
  const unnamed = steps.filter((step) => step.kind === 'run' && step.who === '');
  const unsaid = steps.filter((step) => step.kind === 'not-run' && !/not run by CI/i.test(step.before));
  expect([unnamed, unsaid]).toEqual([[], []]);
});

it('the index of runbooks names every page once', () => {
  const linked = [...pageText('docs/runbooks/README.md').matchAll(/^\|.*\]\(([\w-]+\.md)\) \|$/gm)].map(
    ([, name]) => name,
  );
  const there = readdirSync(join(ROOT, 'docs/runbooks')).filter((name) => name !== 'README.md');
  expect(linked.toSorted()).toEqual(there.toSorted());
});

it.each(RUNBOOKS.filter((page) => !page.endsWith('README.md')))(
  '%s says what you see, what it means, what to do, and how you know that it is over',
  (page) => {
    const heads = [...pageText(page).matchAll(/^## (.*)$/gm)].map(([, head]) => head);
    const upgrade = ['Before', 'API processes'];
    const wanted = page.endsWith('upgrade.md') ? upgrade : ['What you see', 'What it means'];
    expect(heads).toEqual(expect.arrayContaining([...wanted, 'It is over when']));
    expect(pageText(page)).toMatch(/^\*Drill: .*\*$/m);
  },
);

it.each(TEXTS)('%s cites tests by titles that are there', (page) => {
  const cited = [...flat(pageText(page)).matchAll(/`((?:src|test)\/[\w./-]+\.spec\.ts)`((?:;? "[^"]+")+)/g)];
  const missing = cited.flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title).filter((title) => !read(file).includes(title)),
  );
  expect(missing).toEqual([]);
  if (page === 'docs/takeover.md') expect(cited.length).toBeGreaterThan(15);
});

it('the inventory of algorithms names each mechanism of the tokens', () => {
  const inventory = pageText('docs/compliance.md');
  const families = { RSA: 'RSA', EC: 'ECDSA', AES_GCM: 'AES-GCM', AES_KEY_WRAP: 'AES-KW', SHA256_HMAC: 'HMAC-SHA-256' };
  const mechanisms = [...read('src/pkcs11/mechanisms.ts').matchAll(/^ {2}CKM_(\w+):/gm)].map(([, name = '']) => name);
  expect(mechanisms.length).toBeGreaterThan(10);
  const unknown = mechanisms.filter(
    (name) => !Object.entries(families).some(([begin, word]) => name.startsWith(begin) && inventory.includes(word)),
  );
  expect(unknown).toEqual(['AES_KEY_GEN', 'GENERIC_SECRET_KEY_GEN']); // which make keys for the others
});

it.each(PAGES.concat(TEXTS, 'README.md', 'SECURITY.md'))('%s never claims FIPS compliance', (page) => {
  expect(flat(pageText(page))).not.toMatch(/FIPS[ -](?:140[ -]?[23]? )?complian|certified by/i);
});
