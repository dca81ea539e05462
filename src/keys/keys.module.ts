import { Global, Injectable, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { EntityManager } from 'typeorm';
import { AccessRules } from '../access/access-rules.js';
import { RowWatch } from '../audit/row-watch.js';
import { CryptoUnitsModule } from '../crypto-units/crypto-units.module.js';
import { KeyCensus } from '../crypto-units/preconditions.js';
import { ImportTokensModule } from '../import-tokens/import-tokens.module.js';
import { KeyRingsModule } from '../key-rings/key-rings.module.js';
import { RingContents } from '../key-rings/ring-contents.js';
import { CreateAliasHandler, DeleteAliasHandler } from './alias.command.js';
import { CreateKeyHandler } from './create-key.command.js';
import { DataSealing } from './data-sealing.js';
import { DecryptDataHandler, ReencryptDataHandler } from './decrypt-data.command.js';
import { DeleteKeyHandler } from './delete-key.command.js';
import { DeleteKeyMaterialHandler } from './delete-key-material.command.js';
import { DueKeys } from './due-keys.job.js';
import { EncryptDataHandler, GenerateDataKeyHandler } from './encrypt-data.command.js';
import { ExternalMaterial } from './external-material.js';
import { GetKeyHandler, GetKeyMetadataHandler } from './get-key.query.js';
import { GetPublicKeyHandler } from './get-public-key.query.js';
import { CreateGrantHandler, RetireGrantHandler, RevokeGrantHandler } from './grants.command.js';
import { ImportKeyMaterialHandler } from './import-key-material.command.js';
import { GetImportParametersHandler } from './import-parameters.command.js';
import { InstancePolicies } from './instance-policies.js';
import { GetAllowedIpPortHandler, GetInstancePoliciesHandler } from './instance-policies.query.js';
import { InstancePolicy } from './instance-policy.entity.js';
import { IntegrityWalk } from './integrity.job.js';
import { Key, KeyAlias, KeyRegistration, KeyVersion } from './key.entity.js';
import { KeyAccess } from './key-access.js';
import { KeyActs } from './key-acts.js';
import { KeyDigests } from './key-digests.js';
import { KeyGrant } from './key-grant.entity.js';
import { KeyIntegrity } from './key-integrity.js';
import { KeyMaker } from './key-maker.js';
import { GetKeyPoliciesHandler } from './key-policies.query.js';
import { KeyQuota } from './key-quota.js';
import { KeyStore } from './key-store.js';
import { KeyUnits } from './key-units.js';
import { KeysInRings } from './keys-in-rings.js';
import { LabelKeyHandler, UnlabelKeyHandler } from './labels.command.js';
import { ListAliasesHandler } from './list-aliases.query.js';
import { ListGrantsHandler, ListRetirableGrantsHandler } from './list-grants.query.js';
import { ListKeysHandler } from './list-keys.query.js';
import { ListLabelsHandler } from './list-labels.query.js';
import { ListRegistrationsHandler } from './list-registrations.query.js';
import { ListVersionsHandler } from './list-versions.query.js';
import { MoveAliasHandler } from './move-alias.command.js';
import { MoveKeyHandler } from './move-key.command.js';
import { Purge, PurgeKeyHandler } from './purge-key.command.js';
import { RandomHandler } from './random.query.js';
import { RestoreKeyHandler } from './restore-key.command.js';
import { RewrapKeyHandler } from './rewrap-key.command.js';
import { RotateKeyHandler } from './rotate-key.command.js';
import { Rotation } from './rotation.js';
import { CancelKeyDeletionHandler, ScheduleKeyDeletionHandler } from './scheduled-deletion.command.js';
import { CountKeysHandler, SearchKeysHandler } from './search-keys.query.js';
import { SetForDeletionHandler, UnsetForDeletionHandler } from './set-for-deletion.command.js';
import { SetInstancePoliciesHandler } from './set-instance-policies.command.js';
import { SetKeyPoliciesHandler } from './set-key-policies.command.js';
import { SetKeyRotationHandler } from './set-key-rotation.command.js';
import { SignDigestHandler, VerifyDigestHandler } from './sign-digest.command.js';
import { DisableKeyHandler, EnableKeyHandler } from './switch-key.command.js';
import { SyncKeyHandler } from './sync-key.command.js';
import { WATCHED_KEYS } from './told-keys.js';
import { WATCHED_POLICIES } from './told-policies.js';
import { UnwrapKeyHandler } from './unwrap-key.command.js';
import { UpdateKeyHandler } from './update-key.command.js';
import { WrapCounter } from './wrap-counter.js';
import { WrapKeyHandler } from './wrap-key.command.js';

@Injectable()
class KeyTable extends KeyCensus {
  async count(tx: EntityManager, instanceId: string): Promise<number> {
    const [row] = await tx.query<{ n: string }[]>(
      `SELECT coalesce(sum("keys"), 0) AS "n" FROM "key_totals" WHERE "instanceId" = $1`,
      [instanceId],
    );
    return Number(row?.n ?? 0);
  }
}

const HANDLERS = [
  CancelKeyDeletionHandler,
  CountKeysHandler,
  CreateAliasHandler,
  CreateGrantHandler,
  CreateKeyHandler,
  DecryptDataHandler,
  DeleteAliasHandler,
  DeleteKeyHandler,
  DeleteKeyMaterialHandler,
  DisableKeyHandler,
  EnableKeyHandler,
  EncryptDataHandler,
  GenerateDataKeyHandler,
  GetAllowedIpPortHandler,
  GetImportParametersHandler,
  GetInstancePoliciesHandler,
  GetKeyHandler,
  GetKeyMetadataHandler,
  GetKeyPoliciesHandler,
  GetPublicKeyHandler,
  ImportKeyMaterialHandler,
  LabelKeyHandler,
  ListAliasesHandler,
  ListGrantsHandler,
  ListKeysHandler,
  ListLabelsHandler,
  ListRegistrationsHandler,
  ListRetirableGrantsHandler,
  ListVersionsHandler,
  MoveAliasHandler,
  MoveKeyHandler,
  PurgeKeyHandler,
  RandomHandler,
  ReencryptDataHandler,
  RestoreKeyHandler,
  RetireGrantHandler,
  RevokeGrantHandler,
  RewrapKeyHandler,
  RotateKeyHandler,
  ScheduleKeyDeletionHandler,
  SearchKeysHandler,
  SetForDeletionHandler,
  SetInstancePoliciesHandler,
  SetKeyPoliciesHandler,
  SetKeyRotationHandler,
  SignDigestHandler,
  SyncKeyHandler,
  UnlabelKeyHandler,
  UnsetForDeletionHandler,
  UnwrapKeyHandler,
  UpdateKeyHandler,
  VerifyDigestHandler,
  WrapKeyHandler,
];
const PARTS = [
  DataSealing,
  ExternalMaterial,
  InstancePolicies,
  KeyActs,
  KeyDigests,
  KeyIntegrity,
  KeyMaker,
  KeyQuota,
  KeyStore,
  KeyUnits,
  Purge,
  Rotation,
  WrapCounter,
];

@Global() // access, crypto-units and key-rings ask about keys, and stand to the left
@Module({
  imports: [
    CqrsModule,
    TypeOrmModule.forFeature([Key, KeyVersion, KeyAlias, KeyGrant, KeyRegistration, InstancePolicy]),
    CryptoUnitsModule,
    ImportTokensModule,
    KeyRingsModule,
  ],
  providers: [
    { provide: AccessRules, useClass: KeyAccess },
    { provide: KeyCensus, useClass: KeyTable },
    { provide: RingContents, useClass: KeysInRings },
    DueKeys,
    IntegrityWalk,
    ...PARTS,
    ...HANDLERS,
  ],
  exports: [AccessRules, KeyCensus, KeyIntegrity, KeyStore, RingContents],
})
export class KeysModule {
  constructor(rows: RowWatch) {
    rows.watch(WATCHED_KEYS);
    rows.watch(WATCHED_POLICIES);
  }
}
