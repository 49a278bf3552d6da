"""The functions HogQL lets through to ClickHouse, and what is known of their types.

An allow-list: a name that is not here is refused, never passed on.
"""

from local.posthog.hogql_kinds import (
    BOOL,
    DATE,
    DATETIME,
    FLOAT,
    INT,
    INTERVAL,
    STRING,
    UNKNOWN,
    UUID,
    Kind,
    array_of,
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Same name in HogQL and in ClickHouse; grouped by the type that comes out.
_PLAIN: dict[Kind, str] = {
    INT: """
        abs length lengthUTF8 empty notEmpty position positionCaseInsensitive positionUTF8
        positionCaseInsensitiveUTF8 countSubstrings countSubstringsCaseInsensitive
        countMatches toYear toQuarter toMonth toDayOfYear toDayOfMonth toDayOfWeek toHour
        toMinute toSecond toMillisecond toUnixTimestamp toUnixTimestamp64Milli
        toUnixTimestamp64Micro toISOYear toISOWeek toWeek toYearWeek toYYYYMM toYYYYMMDD
        toYYYYMMDDhhmmss dateDiff age timeZoneOffset cityHash64 sipHash64 xxHash64 murmurHash2_64
        farmHash64 intDiv intDivOrZero modulo positiveModulo gcd lcm bitAnd bitOr bitXor bitNot
        bitShiftLeft bitShiftRight bitCount bitTest sign has hasAny hasAll hasSubstr indexOf
        countEqual arrayCount arrayUniq arrayExists arrayAll arrayFirstIndex arrayLastIndex
        isNull isNotNull isNaN isFinite isInfinite startsWith endsWith match like ilike notLike
        notILike multiMatchAny multiSearchAny hasToken JSONHas JSONLength JSONExtractInt
        JSONExtractUInt JSONExtractBool isValidJSON isValidUTF8 toIntOrZero levenshteinDistance
        editDistance rowNumberInBlock rowNumberInAllBlocks crc32 CRC32 ascii arrayJaccardIndex
        toModifiedJulianDay reinterpretAsUInt64 reinterpretAsInt64 toUInt64 toInt64 toInt32
        toUInt32 toInt16 toUInt16 toInt8 toUInt8 isIPv4String isIPv6String factorial width_bucket
    """,
    FLOAT: """
        divide exp log ln exp2 log2 exp10 log10 sqrt cbrt erf erfc lgamma tgamma sin cos tan asin
        acos atan atan2 hypot sinh cosh tanh asinh acosh atanh pow power pi e degrees radians
        log1p rand32 randCanonical JSONExtractFloat arrayAvg toFloatOrZero toFloatOrDefault
        toFloat64 toFloat32 greatCircleDistance geoDistance jaroSimilarity jaroWinklerSimilarity
        cosineDistance L1Distance L2Distance
    """,
    STRING: """
        toString lower upper lowerUTF8 upperUTF8 reverse reverseUTF8 concatWithSeparator substring
        substringUTF8 substr mid left right leftUTF8 rightUTF8 leftPad rightPad leftPadUTF8
        rightPadUTF8 lpad rpad repeat space trim trimLeft trimRight trimBoth ltrim rtrim replace
        replaceAll replaceOne replaceRegexpAll replaceRegexpOne regexpQuoteMeta extract
        regexpExtract format formatReadableSize formatReadableQuantity formatReadableTimeDelta
        formatDateTime dateName monthName toTypeName timeZoneOf base64Encode base64Decode
        tryBase64Decode hex unhex bin unbin toJSONString JSONExtractString JSONExtractRaw JSONType
        visitParamExtractString domain domainWithoutWWW topLevelDomain firstSignificantSubdomain
        cutToFirstSignificantSubdomain path pathFull queryString fragment queryStringAndFragment
        protocol port extractURLParameter cutURLParameter cutWWW cutQueryString cutFragment
        decodeURLComponent encodeURLComponent normalizeQuery arrayStringConcat initcap initcapUTF8
        MD5 SHA1 SHA256 char soundex punycodeEncode idnaEncode IPv4NumToString toValidUTF8
        substringIndex overlay translate splitPart
    """,
    DATE: """
        toStartOfWeek toStartOfMonth toStartOfQuarter toStartOfYear toStartOfISOYear toMonday
        toLastDayOfMonth toLastDayOfWeek makeDate fromModifiedJulianDay
    """,
    DATETIME: """
        toStartOfDay toStartOfHour toStartOfMinute toStartOfSecond toStartOfFiveMinutes
        toStartOfTenMinutes toStartOfFifteenMinutes fromUnixTimestamp timeSlot
        fromUnixTimestamp64Milli fromUnixTimestamp64Micro
        addHours addMinutes addSeconds addMilliseconds subtractHours subtractMinutes
        subtractSeconds makeDateTime UUIDv7ToDateTime
    """,
    INTERVAL: """
        toIntervalSecond toIntervalMinute toIntervalHour toIntervalDay toIntervalWeek
        toIntervalMonth toIntervalQuarter toIntervalYear
    """,
    UUID: "generateUUIDv4 generateUUIDv7",
    array_of(STRING): """
        splitByChar splitByString splitByRegexp splitByWhitespace splitByNonAlpha alphaTokens
        extractAll extractAllGroupsVertical extractAllGroupsHorizontal tokens ngrams URLHierarchy
        URLPathHierarchy extractURLParameters extractURLParameterNames JSONExtractKeys
        JSONExtractArrayRaw
    """,
    array_of(INT): "range arrayEnumerate arrayEnumerateUniq arrayEnumerateDense bitmaskToArray",
    UNKNOWN: """
        round floor ceil ceiling trunc truncate roundBankers roundToExp2 roundDuration roundAge
        greatest least max2 min2 toStartOfInterval dateTrunc date_trunc dateAdd dateSub date_add
        date_sub timestampAdd timestampSub transform nullIf tuple tupleElement untuple map mapKeys
        mapValues mapContains mapFromArrays mapAdd mapSubtract mapFilter mapApply arrayElement
        arrayElementOrNull arraySum arrayMin arrayMax arrayProduct arrayReduce arrayReduceInRanges
        arrayFirst arrayLast arrayFirstOrNull arrayLastOrNull arrayFold arrayZip arrayFlatten
        arrayCumSum arrayCumSumNonNegative arrayDifference arraySplit arrayReverseSplit
        arrayWithConstant arrayPartialSort arrayAUC emptyArrayToSingle
        tupleToNameValuePairs tuplePlus tupleMinus JSONExtract JSONExtractKeysAndValues
        JSONExtractKeysAndValuesRaw extractGroups toNullable assumeNotNull ifNotFinite
        runningDifference neighbor bar accurateCastOrNull caseWithExpression toDecimal
        timeSlots h3ToGeo geohashEncode geohashDecode pointInPolygon
    """,
}

# Gives back what the first argument is.
_LIKE_FIRST = frozenset(
    _words("""
    addDays addWeeks addMonths addQuarters addYears subtractDays subtractWeeks subtractMonths
    subtractQuarters subtractYears negate identity materialize assumeNotNull toNullable
    arrayDistinct arraySlice arrayPushBack arrayPushFront arrayPopBack arrayPopFront arrayResize
    arrayCompact arrayConcat arrayIntersect arrayReverse arrayShuffle arrayRotateLeft
    arrayRotateRight
    """)
)
# Gives back what the array after the lambda is.
LIKE_LAST = frozenset(_words("arrayFilter arraySort arrayReverseSort arrayPartialSort arrayFill arrayReverseFill"))
ARITHMETIC = {"plus": "+", "minus": "-", "multiply": "*", "divide": "/", "modulo": "%"}
COMPARISONS = {
    "equals": "==",
    "notEquals": "!=",
    "less": "<",
    "greater": ">",
    "lessOrEquals": "<=",
    "greaterOrEquals": ">=",
    "like": "like",
    "ilike": "ilike",
    "notLike": "not like",
    "notILike": "not ilike",
    "in": "in",
    "notIn": "not in",
}
_ANY_CASE = _words("""
    lower upper count sum avg min max round floor ceil length substring concat coalesce ifNull
    nullIf isNull if replace reverse trim abs exp log ln sqrt sin cos tan pow power mod greatest
    least now position format repeat left right power sign
""")

_COUNTING = _words(
    "count uniq uniqExact uniqCombined uniqCombined64 uniqHLL12 uniqTheta retention windowFunnel "
    "sequenceCount groupBitAnd groupBitOr groupBitXor rank dense_rank row_number ntile"
)
_MEASURING = _words(
    "avg avgWeighted stddevPop stddevSamp varPop varSamp covarPop covarSamp corr quantile "
    "quantileExact quantileTiming quantileTDigest quantileDeterministic quantileExactWeighted "
    "quantileExactLow quantileExactHigh quantileBFloat16 median medianExact medianTDigest skewPop "
    "skewSamp kurtPop kurtSamp entropy simpleLinearRegression percent_rank cume_dist"
)
_LIKE_ARGUMENT = _words(
    "min max any anyLast anyHeavy argMin argMax first_value last_value lagInFrame leadInFrame lag lead nth_value"
)
_COLLECTING = _words("groupArray groupUniqArray groupArraySample groupArrayLast groupArraySorted topK topKWeighted")
_OTHER_AGGREGATES = _words(
    "sum sumWithOverflow sumKahan sumCount deltaSum deltaSumTimestamp sumMap minMap maxMap "
    "quantiles quantilesExact quantilesTiming quantilesTDigest groupArrayInsertAt "
    "groupArrayMovingSum groupArrayMovingAvg groupConcat sequenceMatch histogram "
    "intervalLengthSum boundingRatio exponentialMovingAverage studentTTest welchTTest "
    "mannWhitneyUTest cramersV contingency"
)
AGGREGATES: dict[str, Kind | None] = {
    **dict.fromkeys(_COUNTING, INT),
    **dict.fromkeys(_MEASURING, FLOAT.maybe()),
    **dict.fromkeys(_LIKE_ARGUMENT, None),
    **dict.fromkeys(_COLLECTING, array_of(UNKNOWN)),
    **dict.fromkeys(_OTHER_AGGREGATES, UNKNOWN),
}
_COMBINATORS = (
    "If", "Array", "Distinct", "OrNull", "OrDefault", "ForEach", "Map", "State", "Merge",
    "MergeState",
)  # fmt: skip

FUNCTIONS: dict[str, Kind | None] = {
    **{name: kind for kind, names in _PLAIN.items() for name in names.split()},
    **dict.fromkeys(_LIKE_FIRST, None),
    **dict.fromkeys(LIKE_LAST, None),
}
# HogQL's name on the left, ClickHouse's on the right.
RENAMED = {
    "toIntOrZero": "toInt64OrZero",
    "toFloatOrZero": "toFloat64OrZero",
    "toFloatOrDefault": "toFloat64OrDefault",
    "date_diff": "dateDiff",
    "date_trunc": "dateTrunc",
    "toModifiedJulianDay": "toModifiedJulianDayOrNull",
    "fromModifiedJulianDay": "fromModifiedJulianDayOrNull",
    "max2": "greatest",
    "min2": "least",
    "_toInt8": "toInt8",
    "_toInt16": "toInt16",
    "_toInt32": "toInt32",
    "_toInt64": "toInt64",
    "_toUInt64": "toUInt64",
    "_toDate": "toDate",
    "substr": "substring",
    "mod": "modulo",
}
_BY_LOWER_CASE = {name.lower(): name for name in _ANY_CASE}
_KINDS_OF_RENAMED = {"date_diff": INT, "_toDate": DATE, "mod": INT} | {
    name: INT for name in RENAMED if name.startswith(("_toI", "_toU"))
}


def known_function(name: str) -> str | None:
    """The name as ClickHouse has it, or None when it is not on the list."""
    name = _BY_LOWER_CASE.get(name.lower(), name)
    if name in RENAMED:
        return RENAMED[name]
    return name if name in FUNCTIONS else None


def spelling(name: str) -> str:
    """The usual spelling of the functions whose case does not matter."""
    return _BY_LOWER_CASE.get(name.lower(), name)


def known_aggregate(name: str) -> str | None:
    """The aggregate a name stands for, its combinators taken off; None if there is none."""
    if name in AGGREGATES:
        return name
    for combinator in _COMBINATORS:
        if name.endswith(combinator) and len(name) > len(combinator):
            inner = known_aggregate(name[: -len(combinator)])
            if inner is not None:
                return inner
    return None


def kind_of_function(name: str, arguments: list[Kind]) -> Kind:
    """The type of a call on the list; nullable as soon as one argument is."""
    kind = FUNCTIONS.get(name, _KINDS_OF_RENAMED.get(name, UNKNOWN))
    if name in LIKE_LAST:
        return arguments[-1] if arguments else UNKNOWN
    if kind is None:
        return arguments[0] if arguments else UNKNOWN
    nullable = any(argument.nullable for argument in arguments)
    if name in ("isNull", "isNotNull"):
        return BOOL
    return kind.maybe(nullable or kind.nullable)


def kind_of_aggregate(name: str, arguments: list[Kind]) -> Kind:
    """The type of an aggregate, combinators included."""
    base = known_aggregate(name) or name
    if base != name and name.removeprefix(base) not in ("If", "Distinct"):
        return UNKNOWN
    kind = AGGREGATES.get(base, UNKNOWN)
    first = arguments[0] if arguments else UNKNOWN
    if kind is None:
        return first
    if base in ("groupArray", "groupUniqArray", "groupArrayLast"):
        return array_of(first.maybe(nullable=False))
    return kind
