"""Each operation with all of its parameters, the event they make, and which are required."""

from __future__ import annotations

from typing import Any

from functions.capture.operating.operation_forms import Wire

URL = "https://mysite.com/products/123?utm=1#top"
FULL: dict[str, dict[str, Any]] = {
    "alias": {"DistinctId": "user@example.com", "Alias": "anonymous_123"},
    "event": {"DistinctId": "u1", "EventName": "purchase_completed", "Properties": {"amount": 99.99, "vip": True}},
    "identity": {
        "DistinctId": "u1",
        "Name": "John Doe",
        "Email": "john@example.com",
        "Plan": "premium",
        "SignupDate": "2024-02-03",
        "ReferralSource": "google",
        "PropertiesSet": {"company": "Acme Inc", "address": {"city": "Oslo"}, "name": "overruled"},
        "PropertiesSetOnce": {"initial_utm_source": "google", "tags": ["a"], "signup_date": "overruled"},
    },
    "page": {
        "DistinctId": "u1",
        "PageUrl": URL,
        "PageName": "Product Details",
        "Referrer": "https://google.com",
        "Properties": {"utm_source": "email", "$current_url": "overruled", "title": "overruled"},
    },
    "screen": {
        "DistinctId": "u1",
        "ScreenViewName": "Home Screen",
        "ScreenCategory": "product",
        "AppVersion": "2.1.0",
        "DeviceType": "iPad",
        "Properties": {"os_version": "14.5", "device_type": "overruled", "$screen_name": "overruled"},
    },
}
MADE = {
    "alias": Wire("$create_alias", "user@example.com", {"distinct_id": "user@example.com", "alias": "anonymous_123"}),
    "event": Wire("purchase_completed", "u1", {"amount": 99.99, "vip": True}),
    "identity": Wire(
        "$identify",
        "u1",
        {
            "$set": {
                "company": "Acme Inc",
                "address": {"city": "Oslo"},
                "name": "John Doe",
                "email": "john@example.com",
                "plan": "premium",
            },
            "$set_once": {
                "initial_utm_source": "google",
                "tags": ["a"],
                "signup_date": "2024-02-03",
                "referral_source": "google",
            },
        },
    ),
    "page": Wire(
        "$pageview",
        "u1",
        {
            "utm_source": "email",
            "$current_url": URL,
            "$pathname": "/products/123",
            "title": "Product Details",
            "$referrer": "https://google.com",
        },
    ),
    "screen": Wire(
        "$screen",
        "u1",
        {
            "os_version": "14.5",
            "$screen_name": "Home Screen",
            "screen_category": "product",
            "app_version": "2.1.0",
            "device_type": "iPad",
        },
    ),
}
REQUIRED = {
    "alias": {"DistinctId", "Alias"},
    "event": {"DistinctId", "EventName"},
    "identity": {"DistinctId"},
    "page": {"DistinctId", "PageUrl"},
    "screen": {"DistinctId", "ScreenViewName"},
}
