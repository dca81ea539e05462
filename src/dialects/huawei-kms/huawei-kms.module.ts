import { Module } from '@nestjs/common';
import { AccessKeysModule } from '../../access-keys/access-keys.module.js';
import { AccountController } from './account.controller.js';
import { AliasesController } from './aliases.controller.js';
import { DataController } from './data.controller.js';
import { GrantsController } from './grants.controller.js';
import { Identification } from './identification.js';
import { ImportController } from './import.controller.js';
import { KeysController } from './keys.controller.js';
import { KeystoneController } from './keystone.controller.js';
import { KeystoneTokens } from './keystone-tokens.js';
import { RotationController } from './rotation.controller.js';
import { SigningController } from './signing.controller.js';
import { TagsController } from './tags.controller.js';

/** The key management API of Huawei Cloud and Open Telekom Cloud, over the same keys as every other dialect. */
@Module({
  imports: [AccessKeysModule],
  providers: [Identification, KeystoneTokens],
  controllers: [
    KeystoneController,
    KeysController,
    ImportController,
    DataController,
    SigningController,
    RotationController,
    TagsController,
    GrantsController,
    AliasesController,
    AccountController,
  ],
})
export class HuaweiKmsModule {}
