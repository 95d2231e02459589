"""Attribute policies: how a family declares them, and how a kernel applies them.

``declare`` corresponds to struct nla_policy and its macros, ``validate`` to lib/nlattr.c, and
``describe`` to net/netlink/policy.c. ``parse`` takes a request's attributes through all of them.
"""

from .declare import (
    MAX_POLICY_RECURSION_DEPTH,
    REJECT_ALL,
    UNSPEC,
    NlaPolicy,
    NlaType,
    NlaValidation,
    Policy,
    ValidateFn,
    nla_policy_bitfield32,
    nla_policy_exact_len,
    nla_policy_exact_len_warn,
    nla_policy_mask,
    nla_policy_max,
    nla_policy_min,
    nla_policy_min_len,
    nla_policy_nested,
    nla_policy_nested_array,
    nla_policy_range,
    nla_policy_reject,
    nla_policy_validate_fn,
)
from .describe import NlAttrType, NlPolicyTypeAttr, PolicyDump, pad_u64, policy_attributes
from .parse import Parser, nla_parse
from .validate import LIBERAL, MODERN, STRICT, NlValidate, ParseRules, Validator

__all__ = [
    "LIBERAL",
    "MAX_POLICY_RECURSION_DEPTH",
    "MODERN",
    "REJECT_ALL",
    "STRICT",
    "UNSPEC",
    "NlAttrType",
    "NlPolicyTypeAttr",
    "NlValidate",
    "NlaPolicy",
    "NlaType",
    "NlaValidation",
    "ParseRules",
    "Parser",
    "Policy",
    "PolicyDump",
    "ValidateFn",
    "Validator",
    "nla_parse",
    "nla_policy_bitfield32",
    "nla_policy_exact_len",
    "nla_policy_exact_len_warn",
    "nla_policy_mask",
    "nla_policy_max",
    "nla_policy_min",
    "nla_policy_min_len",
    "nla_policy_nested",
    "nla_policy_nested_array",
    "nla_policy_range",
    "nla_policy_reject",
    "nla_policy_validate_fn",
    "pad_u64",
    "policy_attributes",
]
