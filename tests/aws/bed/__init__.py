"""What the tests of the AWS stack share: emulator, data plane, Runtime API, and the checks."""

import pytest

pytest.register_assert_rewrite("aws.bed.checks")
