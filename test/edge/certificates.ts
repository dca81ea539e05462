import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A CA of P-256 keys: quick to make, and quick in a handshake. */
export class TestCa {
  readonly caFile: string;

  constructor(
    private readonly dir: string,
    private readonly name = 'ca',
  ) {
    this.caFile = join(dir, `${name}.pem`);
    this.#openssl(`req -x509 ${NEW_KEY} -keyout ${name}.key -out ${name}.pem -days 2 -subj /CN=${name}`);
  }

  /** NAME.pem and NAME.key, for 127.0.0.1, from now for so many days. */
  issue(name: string, days = 60): Issued {
    this.#openssl(`req ${NEW_KEY} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
    writeFileSync(join(this.dir, `${name}.ext`), 'subjectAltName=IP:127.0.0.1\n');
    const by = `-CA ${this.name}.pem -CAkey ${this.name}.key -CAcreateserial`;
    this.#openssl(`x509 -req -in ${name}.csr ${by} -days ${days} -extfile ${name}.ext -out ${name}.pem`);
    return { certFile: join(this.dir, `${name}.pem`), keyFile: join(this.dir, `${name}.key`) };
  }

  #openssl(words: string): void {
    const { status, stderr } = spawnSync('openssl', words.split(' '), { cwd: this.dir, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${words}\n${stderr}`);
  }
}

const NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
