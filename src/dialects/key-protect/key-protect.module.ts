import { Module } from '@nestjs/common';
import { CryptoUnitsModule } from '../../crypto-units/crypto-units.module.js';
import { AliasesAndRingsController } from './aliases-and-rings.controller.js';
import { DocsController } from './docs.controller.js';
import { IdentityController } from './identity.controller.js';
import { ImportTokensController } from './import-tokens.controller.js';
import { KeyActionsController } from './key-actions.controller.js';
import { KeysController } from './keys.controller.js';
import { OtherController } from './other.controller.js';
import { PoliciesController } from './policies.controller.js';
import { RegistrationsController } from './registrations.controller.js';

/** IBM Key Protect's API v2, over the same keys as every other dialect. */
@Module({
  imports: [CryptoUnitsModule],
  controllers: [
    IdentityController,
    DocsController,
    RegistrationsController,
    KeysController,
    KeyActionsController,
    PoliciesController,
    AliasesAndRingsController,
    ImportTokensController,
    OtherController,
  ],
})
export class KeyProtectModule {}
