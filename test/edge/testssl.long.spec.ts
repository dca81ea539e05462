import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDatabase, type OwnDatabase } from '../database/own-database.js';
import { ServerProcess } from '../database/server-process.js';
import { TestCa } from './certificates.js';

/** What testssl.sh (https://testssl.sh) finds at a server that ends TLS itself. On Debian: apt-get install testssl.sh */
const program = ['testssl', 'testssl.sh'].find((name) => spawnSync(name, ['--version']).status === 0);
const GRAVE = ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'];
/** Findings about the certificate that the test made for itself, which has no name of the public DNS and no authority's services. */
const OF_THE_TEST = /^(cert_|OCSP|DNS_CAA|certificate_transparency)/;

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

const dir = mkdtempSync(join(tmpdir(), 'keystead-testssl-'));
let own: OwnDatabase;
let server: ServerProcess;
let caFile: string;
beforeAll(async () => {
  const ca = new TestCa(dir);
  caFile = ca.caFile;
  const served = ca.issue('served');
  own = await makeDatabase();
  server = await ServerProcess.start(dir, {
    KEYSTEAD_DATABASE_URL: own.url,
    KEYSTEAD_TLS_CERT_FILE: served.certFile,
    KEYSTEAD_TLS_KEY_FILE: served.keyFile,
  });
}, 60_000);
afterAll(async () => {
  await server?.end();
  await own?.drop();
  rmSync(dir, { recursive: true, force: true });
});

(program === undefined ? it.skip : it)(
  'testssl.sh, where it is installed, finds nothing above LOW in protocols, suites, headers and known attacks',
  () => {
    const report = join(dir, 'testssl.json');
    const words = ['--quiet', '--color', '0', '--warnings', 'off', '--add-ca', caFile, '--jsonfile', report];
    spawnSync(program ?? '', [...words, new URL(server.url).host], { encoding: 'utf8', cwd: dir });
    const findings = JSON.parse(readFileSync(report, 'utf8')) as Finding[];
    expect(findings.map(({ id }) => id)).toEqual(expect.arrayContaining(['TLS1_2', 'TLS1_3', 'heartbleed', 'ROBOT']));
    const grave = findings.filter(({ id, severity }) => GRAVE.includes(severity) && !OF_THE_TEST.test(id));
    expect(grave).toEqual([]);
  },
  600_000,
);
