import { Injectable } from '@nestjs/common';
import { ImportTokens } from '../import-tokens/import-tokens.js';
import { lengthPrefixed } from '../shared/bytes.js';
import { FieldError } from '../shared/errors.js';
import type { CryptoClient } from '../unit-agent/client.js';
import type { KeyRowFields } from '../unit-agent/protocol.js';
import type { KeyVersion } from './key.entity.js';
import { KEY_ALGORITHMS, type KeyAlgorithm } from './key-kinds.js';
import { type Guarded, rowOf } from './key-row.js';
import { type AddedVersion, KeyUnits, type Proof } from './key-units.js';
import type { Material } from './material.js';

const PROOF = Buffer.from('keystead/new key opens on another unit');
const GENERATED_BYTES = 32;
const ROOT_BYTES: readonly number[] = [16, 24, 32];
export const MOST_PAYLOAD_BYTES = 7_500;

export interface Made extends AddedVersion {
  readonly bits: number;
  readonly madeOn: string;
  readonly provedOn: string;
}

export interface MadeVersion extends Made {
  /** What was sealed under the new version and opened on another unit. */
  readonly proof: Proof;
}

export interface MadeStandardKey extends MadeVersion {
  readonly payload: Buffer;
}

/** Makes the versions of keys in units. What it returns was opened by another unit, where there is another. */
@Injectable()
export class KeyMaker {
  constructor(
    private readonly units: KeyUnits,
    private readonly importTokens: ImportTokens,
  ) {}

  /** A version of a root key: generated, or of material that a client brings. FIELD_INVALID, IMPORT_INVALID. */
  async rootVersion(key: Guarded, versionId: string, given: Material, createdAt: Date): Promise<MadeVersion> {
    assertMaterial(given);
    const planned: Guarded = { ...key, state: 1, versionId }; // units make active keys; the caller's change sets another state
    const { unitId, result } = await this.#make(planned, versionId, given);
    const version: KeyVersion = { ...result.version, keyId: key.id, instanceId: key.instanceId, createdAt };
    const { proof } = result;
    const provedOn = await this.units.prove(key, proof, unitId);
    return { version, row: proof.row, bits: (version.blob.length - 8) * 8, madeOn: unitId, provedOn, proof };
  }

  /** A standard key: its payload sealed under a version of its own, which goes with it when it is purged. */
  async standardKey(key: Guarded, payload: Buffer | undefined, createdAt: Date): Promise<MadeStandardKey> {
    assertPayload(payload);
    const row = rowOf(key, { id: key.id, algorithm: 'AES-256' });
    const { unitId, result } = await this.units.use(key, async (unit) => {
      const plaintext = payload ?? (await unit.random(GENERATED_BYTES));
      const { blob, mac } = await unit.generateRootKey(row);
      const aad = payloadAad(key.id);
      return { blob, mac, proof: { row, aad, plaintext, sealed: await unit.encrypt(row, blob, mac, aad, plaintext) } };
    });
    const { blob, mac } = result;
    const proof = { ...result.proof, version: { blob, mac } };
    const provedOn = await this.units.prove(key, proof, unitId);
    const ids = { id: key.id, keyId: key.id, instanceId: key.instanceId };
    const version: KeyVersion = { ...ids, algorithm: 'AES-256', blob, mac, wraps: '1', createdAt };
    const payloadBytes = proof.plaintext;
    return { version, row, bits: payloadBytes.length * 8, madeOn: unitId, provedOn, proof, payload: payloadBytes };
  }

  /** The version of an external key, without material; another unit takes its row for genuine. */
  async externalVersion(key: Guarded, createdAt: Date): Promise<Made> {
    const blob = Buffer.alloc(0);
    const row = rowOf(key, { id: key.versionId, algorithm: key.algorithm });
    const { unitId: madeOn, result } = await this.units.use(key, (unit) => unit.newExternalRow(row));
    const stored = { row, blob, mac: result.mac };
    const provedOn = await this.units.proveRows(key, [stored], madeOn);
    const ids = { id: key.versionId, keyId: key.id, instanceId: key.instanceId };
    const version = { ...ids, algorithm: key.algorithm, blob, mac: result.mac, wraps: '0', createdAt };
    return { version, row, bits: KEY_ALGORITHMS[key.algorithm as KeyAlgorithm].bits, madeOn, provedOn };
  }

  #make(key: Guarded, versionId: string, { material, secure }: Material) {
    const seal = async (unit: CryptoClient, algorithm: string, wrapped: { blob: Buffer; mac: Buffer }) => {
      const row = rowOf(key, { id: versionId, algorithm });
      const { blob, mac } = wrapped;
      const aad = Buffer.from(versionId);
      const sealed = await unit.encrypt(row, blob, mac, aad, PROOF);
      const proof: Proof = { version: { blob, mac }, row, aad, sealed, plaintext: PROOF };
      return { version: { id: versionId, algorithm, blob, mac, wraps: '1' }, proof };
    };
    const row = (algorithm: string): KeyRowFields => rowOf(key, { id: versionId, algorithm });
    if (secure !== undefined) {
      return this.importTokens.attempt(key.instanceId, (open) =>
        this.units.use(key, async (unit) => {
          const { algorithm, ...wrapped } = await open(unit, secure, row('AES-256'));
          return seal(unit, algorithm, wrapped);
        }),
      );
    }
    return this.units.use(key, async (unit) => {
      const algorithm = `AES-${(material?.length ?? GENERATED_BYTES) * 8}`;
      const wrapped =
        material === undefined
          ? await unit.generateRootKey(row(algorithm))
          : await unit.importRootKey(row(algorithm), material);
      return seal(unit, algorithm, wrapped);
    });
  }
}

/** What binds a sealed payload to its key. */
export function payloadAad(keyId: string): Buffer {
  return lengthPrefixed(['keystead/standard-key/v1', keyId]);
}

function assertMaterial({ material, secure }: Material): void {
  if (material === undefined || secure !== undefined) return;
  if (!ROOT_BYTES.includes(material.length)) throw payloadRefused('base64 of 16, 24 or 32 bytes');
}

function assertPayload(payload: Buffer | undefined): void {
  if (payload === undefined) return;
  if (payload.length < 1 || payload.length > MOST_PAYLOAD_BYTES) {
    throw payloadRefused(`base64 of 1 to ${MOST_PAYLOAD_BYTES} bytes`);
  }
}

function payloadRefused(must: string): FieldError {
  return new FieldError('FIELD_INVALID', `the payload must be ${must}`, { type: 'field', name: 'payload' });
}
