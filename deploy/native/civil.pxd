"""The Gregorian calendar in numbers (after Hinnant's `days_from_civil` and `civil_from_days`). Days count from 1970."""

cdef inline long long floored(long long value, long long by) noexcept:
    """`value // by` for a positive divisor."""
    return value // by - (1 if value % by < 0 else 0)


cdef inline long long days(long long year, int month, int day) noexcept:
    """The day of a date that exists."""
    cdef long long era, of_era, of_year
    year -= month <= 2
    era = floored(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    of_era = year - era * 400
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


cdef inline long long date(long long day, int *of_month) noexcept:
    """The month of a day, year * 12 + month - 1; and which of its days that is."""
    cdef long long since = day + 719468
    cdef long long era = floored(since, 146097)
    cdef long long of_era = since - era * 146097
    cdef long long year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef long long of_year = of_era - (365 * year + year // 4 - year // 100)
    cdef int shifted = <int>((5 * of_year + 2) // 153)
    of_month[0] = <int>of_year - (153 * shifted + 2) // 5 + 1
    year += era * 400 + (1 if shifted >= 10 else 0)
    return year * 12 + (shifted + 2) % 12


cdef inline int length(long long year, int month) noexcept:
    """Days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
