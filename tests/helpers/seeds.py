"""The seed of the short drills: another one every day, so that in a month many operations and files were tried."""

import datetime
import os

SEED = int(os.environ.get("KIT_FAULTS_SEED", datetime.date.today().toordinal()))
